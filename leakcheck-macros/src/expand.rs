//! The function with its body under a check.

use crate::args::{Args, Given};
use crate::target::Function;
use crate::value::{Choice, text};
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Attribute, Error, Expr, FnArg, Meta, Path, Result, Token, Type};

pub(crate) fn expand(args: &Args, function: &mut Function) -> Result<()> {
    if let (Some(argument), Some(taken)) = (args.repeats(), function.taken_by_value()) {
        return Err(not_repeatable(argument, taken));
    }
    let (inner, body) = function.body()?;
    let check = Check::new(args, function);
    let call = check.call(args, &body);
    let mut block = Group::new(Delimiter::Brace, quote!(#(#inner)* #call));
    block.set_span(check.span);
    function.set_body(block);
    Ok(())
}

fn not_repeatable(argument: &Ident, taken: &FnArg) -> Error {
    let name = match taken {
        FnArg::Receiver(receiver) => receiver.self_token.to_token_stream(),
        FnArg::Typed(typed) => typed.pat.to_token_stream(),
    };
    let message = format!(
        "`{argument}` calls the body again and again, which cannot be done with `{}`: the first call may use it up. \
         Take it by shared reference, or make it in the body",
        text(&name)
    );
    Error::new_spanned(taken, message)
}

/// The call that the body turns into.
struct Check<'a> {
    function: &'a Function,
    /// The function's name as if the user wrote the call there: panics and `line!()` point to it.
    name: Span,
    /// The same place with the macro's hygiene: lints keep off.
    span: Span,
    krate: Path,
    krate_at_name: Path,
    /// Whether the body can be called again.
    repeatable: bool,
}

impl<'a> Check<'a> {
    fn new(args: &Args, function: &'a Function) -> Check<'a> {
        let name = function.sig.ident.span();
        let span = Span::call_site().located_at(name);
        let (krate, krate_at_name) = (args.krate(span), args.krate(name));
        let repeatable = function.taken_by_value().is_none();
        Check { function, name, span, krate, krate_at_name, repeatable }
    }

    fn call(&self, args: &Args, body: &Group) -> TokenStream {
        let options = self.options(args);
        let span = self.span;
        if self.function.is_async() {
            let (future, failed) = (self.future(body), self.failed());
            let output = self.future_output();
            let (name, body) = if self.repeatable {
                let output = output.map(|ty| quote_spanned!(span=> ::<#ty, _>));
                (quote_spanned!(span=> check_async_repeatable #output), quote!(move || #future))
            } else {
                let output = output.map(|ty| quote_spanned!(span=> ::<#ty>));
                (quote_spanned!(span=> check_async #output), future)
            };
            let call = self.private(name, quote_spanned!(span=> #options, #body, #failed));
            return quote_spanned!(span=> #call.await);
        }
        let closure = self.closure(body);
        match should_panic(&self.function.attrs) {
            // With a return type `#[should_panic]` is an error, and rustc says so.
            Some(expected) if self.function.output().is_none() => self.private(
                self.entry("check_should_panic", "check_repeatable_should_panic"),
                quote_spanned!(span=> #options, #expected, #closure),
            ),
            _ => {
                let failed = self.failed();
                self.private(
                    self.entry("check", "check_repeatable"),
                    quote_spanned!(span=> #options, #closure, #failed),
                )
            }
        }
    }

    /// The function to call, for a body that runs once and for one that can be called again.
    fn entry(&self, once: &str, repeatable: &str) -> TokenStream {
        let name = Ident::new(if self.repeatable { repeatable } else { once }, self.span);
        name.into_token_stream()
    }

    fn private(&self, name: TokenStream, args: TokenStream) -> TokenStream {
        let krate = &self.krate_at_name;
        quote_spanned!(self.name=> (#krate::__private::#name)(#args))
    }

    fn options(&self, args: &Args) -> TokenStream {
        let Check { span, function, .. } = self;
        let name = function.sig.ident.to_string();
        let calls = [
            value(&args.threshold_mb),
            value(&args.threshold_bytes),
            value(&args.threshold_blocks),
            value(&args.peak_mb),
            self.choice(&args.kind),
            self.choice(&args.scope),
            self.choice(&args.measure),
            value(&args.skip),
            self.iterations(args),
            value(&args.warmup),
            value(&args.settle_ms),
            value(&args.threads),
            value(&args.fds),
            value(&args.children),
            value(&args.c_heap_mb),
            value(&args.lost_bytes),
            value(&args.top),
        ];
        let here = &self.krate_at_name;
        let origin = quote_spanned!(self.name=> #here::__private::origin!(#name));
        let options = self.private(quote_spanned!(*span=> options), origin);
        quote_spanned!(*span=> #options #(#calls)*)
    }

    fn choice(&self, given: &Option<Given<Choice>>) -> Option<TokenStream> {
        let krate = &self.krate;
        given.as_ref().map(|given| builder_call(given, quote!(#krate::)))
    }

    fn iterations(&self, args: &Args) -> Option<TokenStream> {
        let given = args.iterations.as_ref()?;
        let span = Span::call_site().located_at(given.span);
        let value = relocated(given.value.in_crate(&self.krate), span);
        let Given { name, .. } = given;
        Some(quote_spanned!(name.span()=> .#name(#value)))
    }

    fn closure(&self, body: &Group) -> TokenStream {
        let span = self.span;
        match self.annotation() {
            Some(ty) => quote_spanned!(span=> move || -> #ty #body),
            None => quote_spanned!(span=> move || #body),
        }
    }

    /// An `async` block cannot name its output. The return that never runs does, so that `?` and coercions
    /// in the body find the type that the function declares.
    fn future(&self, body: &Group) -> TokenStream {
        let span = self.span;
        let Some(ty) = self.future_output() else {
            return quote_spanned!(span=> async move #body);
        };
        quote_spanned!(span=> async move {
            if let ::core::option::Option::Some(value) = ::core::option::Option::<#ty>::None {
                return value;
            }
            #body
        })
    }

    /// The type of the body, where it can be written outside of a signature.
    fn annotation(&self) -> Option<TokenStream> {
        match self.function.output() {
            None => Some(quote_spanned!(self.span=> ())),
            Some(ty) if has_impl(ty.to_token_stream()) => None,
            Some(ty) => Some(ty.to_token_stream()),
        }
    }

    /// The same for a future. `!` is not a type outside of a signature.
    fn future_output(&self) -> Option<TokenStream> {
        let never = matches!(self.function.output(), Some(Type::Never(_)));
        if never { None } else { self.annotation() }
    }

    /// A closure that tells whether the body's value means failure.
    fn failed(&self) -> TokenStream {
        let Check { krate, span, function, .. } = self;
        match function.output() {
            None | Some(Type::Never(_)) => quote_spanned!(*span=> |_| false),
            // The method that the value's type picks is in one of two traits: a glob brings the right one
            // in without an unused import.
            Some(_) => quote_spanned!(*span=> |value| {
                use #krate::__private::*;
                (&#krate::__private::Probe(value)).failed()
            }),
        }
    }
}

fn value<T: ToTokens>(given: &Option<Given<T>>) -> Option<TokenStream> {
    given.as_ref().map(|given| builder_call(given, TokenStream::new()))
}

fn builder_call<T: ToTokens>(given: &Given<T>, prefix: TokenStream) -> TokenStream {
    let at = |span| Span::call_site().located_at(span);
    let mut method = given.name.clone();
    method.set_span(at(given.name.span()));
    let value = relocated(given.value.to_token_stream(), at(given.span));
    quote_spanned!(method.span()=> .#method(#prefix #value))
}

fn relocated(tokens: TokenStream, span: Span) -> TokenStream {
    let relocate = |mut token: TokenTree| {
        token.set_span(span);
        token
    };
    tokens.into_iter().map(relocate).collect()
}

/// `impl Trait` can hide anywhere in a type; as a keyword it is nothing else there.
fn has_impl(ty: TokenStream) -> bool {
    ty.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "impl",
        TokenTree::Group(group) => has_impl(group.stream()),
        _ => false,
    })
}

/// The message that `#[should_panic]` expects, as an `Option` in the user's crate.
fn should_panic(attrs: &[Attribute]) -> Option<TokenStream> {
    let attr = attrs.iter().find(|attr| attr.path().is_ident("should_panic"))?;
    Some(match expected(attr) {
        Some(message) => quote!(::core::option::Option::Some(#message)),
        None => quote!(::core::option::Option::None),
    })
}

fn expected(attr: &Attribute) -> Option<Expr> {
    match &attr.meta {
        Meta::Path(_) => None,
        Meta::NameValue(meta) => Some(meta.value.clone()),
        Meta::List(list) => {
            let named = |input: syn::parse::ParseStream<'_>| {
                input.parse::<Ident>()?;
                input.parse::<Token![=]>()?;
                input.parse()
            };
            list.parse_args_with(named).ok()
        }
    }
}
