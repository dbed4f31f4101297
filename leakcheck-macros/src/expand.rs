//! Wraps the body of a function in a check.

use crate::args::{Args, Given};
use crate::signature::{Input, is_never};
use crate::target::Function;
use crate::value::{EnumVariant, source_text};
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Attribute, Error, Expr, Meta, Path, Result, Token};

pub(crate) fn wrap_body(args: &Args, function: &mut Function) -> Result<()> {
    if let (Some(argument), Some(consumable)) =
        (args.repetition_argument(), function.consumable_argument())
    {
        return Err(not_repeatable(argument, consumable));
    }
    let (inner, body) = function.body()?;
    let wrapper = Wrapper::new(args, function);
    let call = wrapper.call(args, &body);
    let mut block = Group::new(Delimiter::Brace, quote!(#(#inner)* #call));
    block.set_span(wrapper.span);
    function.set_body(block);
    Ok(())
}

fn not_repeatable(argument: &Ident, consumable: &Input) -> Error {
    let name = source_text(&consumable.name());
    let message = format!(
        "`{argument}` repeats the body, but the first iteration may consume or change `{name}`; \
         take `{name}` by shared reference, or create it in the body"
    );
    Error::new_spanned(consumable, message)
}

/// Builds the call that replaces the body.
struct Wrapper<'a> {
    function: &'a Function,
    /// The span of the function's name, with the user's hygiene: panics and `line!()` refer to that line.
    name_span: Span,
    /// The same location with the macro's hygiene, so that lints ignore the generated code.
    span: Span,
    krate: Path,
    /// The path `krate` with `name_span`.
    krate_at_name: Path,
    /// Whether the body can be called more than once.
    repeatable: bool,
}

impl<'a> Wrapper<'a> {
    fn new(args: &Args, function: &'a Function) -> Wrapper<'a> {
        let name_span = function.sig.ident.span();
        let span = Span::call_site().located_at(name_span);
        let (krate, krate_at_name) = (args.krate(span), args.krate(name_span));
        let repeatable = function.consumable_argument().is_none();
        Wrapper { function, name_span, span, krate, krate_at_name, repeatable }
    }

    fn call(&self, args: &Args, body: &Group) -> TokenStream {
        let options = self.options(args);
        let span = self.span;
        if self.function.is_async() {
            let (future, is_failure) = (self.future(body), self.is_failure());
            let output = self.future_output();
            let (name, body) = if self.repeatable {
                let output = output.map(|ty| quote_spanned!(span=> ::<#ty, _>));
                (quote_spanned!(span=> check_async_repeatable #output), quote!(move || #future))
            } else {
                let output = output.map(|ty| quote_spanned!(span=> ::<#ty>));
                (quote_spanned!(span=> check_async #output), future)
            };
            let call = self.private_call(name, quote_spanned!(span=> #options, #body, #is_failure));
            return quote_spanned!(span=> #call.await);
        }
        let closure = self.closure(body);
        match should_panic(&self.function.attrs) {
            // rustc reports `#[should_panic]` on a function with a return type as an error.
            Some(expected) if self.function.sig.output().is_none() => self.private_call(
                self.function_name("check_should_panic", "check_repeatable_should_panic"),
                quote_spanned!(span=> #options, #expected, #closure),
            ),
            _ => {
                let is_failure = self.is_failure();
                self.private_call(
                    self.function_name("check", "check_repeatable"),
                    quote_spanned!(span=> #options, #closure, #is_failure),
                )
            }
        }
    }

    /// The library function to call for a body that runs once or for a repeatable one.
    fn function_name(&self, once: &str, repeatable: &str) -> TokenStream {
        let name = Ident::new(if self.repeatable { repeatable } else { once }, self.span);
        name.into_token_stream()
    }

    fn private_call(&self, name: TokenStream, args: TokenStream) -> TokenStream {
        let krate = &self.krate_at_name;
        quote_spanned!(self.name_span=> (#krate::__private::#name)(#args))
    }

    fn options(&self, args: &Args) -> TokenStream {
        let Wrapper { span, function, .. } = self;
        let name = function.sig.ident.to_string();
        let setters = [
            setter(&args.threshold_mb),
            setter(&args.threshold_bytes),
            setter(&args.threshold_blocks),
            setter(&args.peak_mb),
            self.enum_setter(&args.kind),
            self.enum_setter(&args.scope),
            self.enum_setter(&args.measure),
            setter(&args.skip),
            self.iterations_setter(args),
            setter(&args.warmup),
            setter(&args.settle_ms),
            setter(&args.threads),
            setter(&args.fds),
            setter(&args.children),
            setter(&args.c_heap_mb),
            setter(&args.lost_bytes),
            setter(&args.top),
        ];
        let krate = &self.krate_at_name;
        let origin = quote_spanned!(self.name_span=> #krate::__private::origin!(#name));
        let options = self.private_call(quote_spanned!(*span=> options), origin);
        quote_spanned!(*span=> #options #(#setters)*)
    }

    fn enum_setter(&self, given: &Option<Given<EnumVariant>>) -> Option<TokenStream> {
        let krate = &self.krate;
        given.as_ref().map(|given| setter_call(given, quote!(#krate::)))
    }

    fn iterations_setter(&self, args: &Args) -> Option<TokenStream> {
        let given = args.iterations.as_ref()?;
        let span = Span::call_site().located_at(given.span);
        let value = with_span(given.value.to_expression(&self.krate), span);
        let Given { name, .. } = given;
        Some(quote_spanned!(name.span()=> .#name(#value)))
    }

    fn closure(&self, body: &Group) -> TokenStream {
        let span = self.span;
        match self.output_annotation() {
            Some(ty) => quote_spanned!(span=> move || -> #ty #body),
            None => quote_spanned!(span=> move || #body),
        }
    }

    /// The body as an `async` block. Such a block cannot name its output type, so an unreachable `return` does:
    /// `?` and coercions in the body then see the type that the function declares.
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

    /// The return type, if it can be written outside a signature.
    fn output_annotation(&self) -> Option<TokenStream> {
        match self.function.sig.output() {
            None => Some(quote_spanned!(self.span=> ())),
            Some(ty) if has_impl(ty.clone()) => None,
            Some(ty) => Some(ty.clone()),
        }
    }

    /// The output type of the future, if it can be written outside a signature; `!` cannot.
    fn future_output(&self) -> Option<TokenStream> {
        if self.never_returns() { None } else { self.output_annotation() }
    }

    fn never_returns(&self) -> bool {
        self.function.sig.output().is_some_and(is_never)
    }

    /// A closure that returns whether the body's value means failure.
    fn is_failure(&self) -> TokenStream {
        let Wrapper { krate, span, function, .. } = self;
        if function.sig.output().is_none() || self.never_returns() {
            return quote_spanned!(*span=> |_| false);
        }
        // The value's type selects a method of one of two traits. A glob imports both without a warning
        // for the unused one.
        quote_spanned!(*span=> |value| {
            use #krate::__private::*;
            (&#krate::__private::Probe(value)).failed()
        })
    }
}

fn setter<T: ToTokens>(given: &Option<Given<T>>) -> Option<TokenStream> {
    given.as_ref().map(|given| setter_call(given, TokenStream::new()))
}

fn setter_call<T: ToTokens>(given: &Given<T>, prefix: TokenStream) -> TokenStream {
    let at = |span| Span::call_site().located_at(span);
    let mut method = given.name.clone();
    method.set_span(at(given.name.span()));
    let value = with_span(given.value.to_token_stream(), at(given.span));
    quote_spanned!(method.span()=> .#method(#prefix #value))
}

fn with_span(tokens: TokenStream, span: Span) -> TokenStream {
    let set_span = |mut token: TokenTree| {
        token.set_span(span);
        token
    };
    tokens.into_iter().map(set_span).collect()
}

/// Whether a type contains `impl Trait`. In a type, the keyword `impl` has no other use.
fn has_impl(ty: TokenStream) -> bool {
    ty.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "impl",
        TokenTree::Group(group) => has_impl(group.stream()),
        _ => false,
    })
}

/// The message that `#[should_panic]` expects, as an `Option` expression.
fn should_panic(attrs: &[Attribute]) -> Option<TokenStream> {
    let attr = attrs.iter().find(|attr| attr.path().is_ident("should_panic"))?;
    Some(match expected_message(attr) {
        Some(message) => quote!(::core::option::Option::Some(#message)),
        None => quote!(::core::option::Option::None),
    })
}

fn expected_message(attr: &Attribute) -> Option<Expr> {
    match &attr.meta {
        Meta::Path(_) => None,
        Meta::NameValue(meta) => Some(meta.value.clone()),
        Meta::List(list) => {
            let name_value = |input: syn::parse::ParseStream<'_>| {
                input.parse::<Ident>()?;
                input.parse::<Token![=]>()?;
                input.parse()
            };
            list.parse_args_with(name_value).ok()
        }
    }
}
