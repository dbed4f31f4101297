//! The arguments of the attribute. Each is parsed on its own, so that all errors are reported at once.

use crate::errors::Errors;
use crate::names;
use crate::value::{self, EnumVariant, Iterations, Value, source_text};
use proc_macro2::{Ident, Punct, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Path, Result, parse_quote_spanned};

/// The parsed arguments. `None` means that the library's default applies.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) threshold_mb: Option<Given<f64>>,
    pub(crate) threshold_bytes: Option<Given<u64>>,
    pub(crate) threshold_blocks: Option<Given<u64>>,
    pub(crate) peak_mb: Option<Given<f64>>,
    pub(crate) kind: Option<Given<EnumVariant>>,
    pub(crate) scope: Option<Given<EnumVariant>>,
    pub(crate) measure: Option<Given<EnumVariant>>,
    pub(crate) skip: Option<Given<String>>,
    pub(crate) iterations: Option<Given<Iterations>>,
    pub(crate) warmup: Option<Given<u64>>,
    pub(crate) settle_ms: Option<Given<u64>>,
    pub(crate) threads: Option<Given<u64>>,
    pub(crate) fds: Option<Given<u64>>,
    pub(crate) children: Option<Given<u64>>,
    pub(crate) c_heap_mb: Option<Given<f64>>,
    pub(crate) lost_bytes: Option<Given<u64>>,
    pub(crate) top: Option<Given<u64>>,
    krate: Option<Given<Path>>,
    /// The number of other macros on the function when this attribute last moved to the end of the list.
    pub(crate) deferred: Option<Given<usize>>,
    /// The arguments as the user wrote them, for a moved attribute and for the functions of a module.
    pub(crate) source: TokenStream,
}

/// The value that the user gave for an argument, with the spans of its name and value.
pub(crate) struct Given<T> {
    pub(crate) name: Ident,
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// A name and the tokens after it, up to the next comma.
struct Argument {
    name: Ident,
    rest: TokenStream,
}

/// Internal argument, written only by this macro; see `defer.rs`.
pub(crate) const DEFERRED: &str = "__deferred";

impl Args {
    pub(crate) fn parse(tokens: TokenStream) -> Result<Args> {
        let mut args = Args::default();
        let mut errors = Errors::default();
        let mut seen = Vec::new();
        for segment in split_at_commas(tokens) {
            errors.handle(args.parse_segment(&segment, &mut seen));
        }
        errors.handle(reject_two_units(&seen));
        errors.finish().map(|()| args)
    }

    /// The path to the library from the user's crate. A path that the user gave keeps its span.
    pub(crate) fn krate(&self, span: Span) -> Path {
        let given = self.krate.as_ref().map(|given| given.value.clone());
        given.unwrap_or_else(|| {
            // The span makes the path resolve by this crate's edition. In edition 2015, which the user's
            // crate may have, a leading `::` means the user's own crate.
            let span = Span::call_site().located_at(span);
            parse_quote_spanned!(span=> ::leakcheck)
        })
    }

    /// The name of the argument that requests repetition, if there is one.
    pub(crate) fn repetition_argument(&self) -> Option<&Ident> {
        let iterations = self.iterations.as_ref().map(|given| &given.name);
        iterations.or(self.warmup.as_ref().map(|given| &given.name))
    }

    fn parse_segment(&mut self, segment: &Segment, seen: &mut Vec<Ident>) -> Result<()> {
        let argument = segment.parse()?;
        if argument.name == DEFERRED {
            return set_value(&mut self.deferred, &argument, value::attributes);
        }
        self.source.extend(segment.tokens.clone());
        self.source.extend(segment.comma.clone().map(TokenTree::Punct));
        if seen.contains(&argument.name) {
            let name = &argument.name;
            return Err(Error::new(
                name.span(),
                format!("`{name}` is given twice; remove one of the two"),
            ));
        }
        seen.push(argument.name.clone());
        self.set(&argument)
    }

    fn set(&mut self, argument: &Argument) -> Result<()> {
        let name = &argument.name;
        match name.to_string().as_str() {
            "threshold_mb" => set_value(&mut self.threshold_mb, argument, value::mebibytes),
            "threshold_bytes" => set_value(&mut self.threshold_bytes, argument, value::bytes),
            "threshold_blocks" => set_value(&mut self.threshold_blocks, argument, value::blocks),
            "peak_mb" => set_value(&mut self.peak_mb, argument, value::mebibytes),
            "kind" => set_value(&mut self.kind, argument, value::kind),
            "scope" => set_value(&mut self.scope, argument, value::scope),
            "measure" => set_value(&mut self.measure, argument, value::measure),
            "skip" if argument.rest.is_empty() => {
                self.skip = Some(without_reason(name));
                Ok(())
            }
            "skip" => set_value(&mut self.skip, argument, value::reason),
            "settle_ms" => set_value(&mut self.settle_ms, argument, value::milliseconds),
            "threads" => set_value(&mut self.threads, argument, value::threads),
            "fds" => set_value(&mut self.fds, argument, value::fds),
            "children" => set_value(&mut self.children, argument, value::children),
            "c_heap_mb" => set_value(&mut self.c_heap_mb, argument, value::mebibytes),
            "lost_bytes" => set_value(&mut self.lost_bytes, argument, value::bytes),
            "top" => set_value(&mut self.top, argument, value::call_sites),
            "crate" => set_value(&mut self.krate, argument, value::path),
            "iterations" => set_value(&mut self.iterations, argument, value::iterations),
            "warmup" => set_value(&mut self.warmup, argument, value::warmup),
            _ => Err(names::unknown(name)),
        }
    }
}

/// Reports the second of the two arguments that set the byte limit.
fn reject_two_units(seen: &[Ident]) -> Result<()> {
    let mut units =
        seen.iter().filter(|name| *name == "threshold_mb" || *name == "threshold_bytes");
    match (units.next(), units.next()) {
        (Some(_), Some(second)) => Err(Error::new(
            second.span(),
            "`threshold_mb` and `threshold_bytes` set the same limit; give only one of them",
        )),
        _ => Ok(()),
    }
}

fn without_reason(name: &Ident) -> Given<String> {
    Given { name: name.clone(), value: String::from("no reason given"), span: name.span() }
}

fn set_value<T>(
    slot: &mut Option<Given<T>>,
    argument: &Argument,
    parse: fn(&Value) -> Result<T>,
) -> Result<()> {
    let value = argument.value()?;
    *slot = Some(Given { name: value.name.clone(), value: parse(&value)?, span: value.span() });
    Ok(())
}

impl Argument {
    fn value(&self) -> Result<Value> {
        let mut rest = self.rest.clone().into_iter();
        match rest.next() {
            None => return Err(self.needs_value()),
            Some(TokenTree::Punct(equals)) if equals.as_char() == '=' => {}
            Some(_) => return Err(self.malformed()),
        }
        let tokens: TokenStream = rest.collect();
        if tokens.is_empty() {
            return Err(self.needs_value());
        }
        Ok(Value { name: self.name.clone(), tokens })
    }

    fn needs_value(&self) -> Error {
        let (name, example) = (&self.name, names::example(&self.name));
        Error::new_spanned(self, format!("`{name}` needs a value, as in `{example}`"))
    }

    fn malformed(&self) -> Error {
        let (example, found) = (names::example(&self.name), source_text(&self.to_token_stream()));
        Error::new_spanned(self, format!("expected `{example}`, found `{found}`"))
    }
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> Result<Argument> {
        if input.peek(Ident::peek_any) {
            return Ok(Argument { name: input.call(Ident::parse_any)?, rest: input.parse()? });
        }
        let found: TokenStream = input.parse()?;
        let message = format!(
            "expected `name = value`, as in `threshold_mb = 5`, found `{}`",
            source_text(&found)
        );
        Err(Error::new_spanned(found, message))
    }
}

impl ToTokens for Argument {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.name.to_tokens(tokens);
        self.rest.to_tokens(tokens);
    }
}

/// The tokens between two commas.
struct Segment {
    tokens: TokenStream,
    comma: Option<Punct>,
}

impl Segment {
    fn parse(&self) -> Result<Argument> {
        match &self.comma {
            Some(comma) if self.tokens.is_empty() => {
                let message = "expected `name = value` before the comma";
                Err(Error::new(comma.span(), message))
            }
            _ => syn::parse2(self.tokens.clone()),
        }
    }
}

fn split_at_commas(tokens: TokenStream) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut segment = TokenStream::new();
    for token in tokens {
        match token {
            TokenTree::Punct(comma) if comma.as_char() == ',' => {
                segments.push(Segment { tokens: std::mem::take(&mut segment), comma: Some(comma) });
            }
            token => token.to_tokens(&mut segment),
        }
    }
    if !segment.is_empty() {
        segments.push(Segment { tokens: segment, comma: None });
    }
    segments
}
