//! The arguments of the attribute: parsed piece by piece, so that one mistake hides no other.

use crate::mistakes::Mistakes;
use crate::names;
use crate::value::{self, Choice, Iterations, Value, text};
use proc_macro2::{Ident, Punct, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Path, Result, parse_quote_spanned};

/// What the attribute asks for. `None` leaves the choice to the library's defaults.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) threshold_mb: Option<Given<f64>>,
    pub(crate) threshold_bytes: Option<Given<u64>>,
    pub(crate) threshold_blocks: Option<Given<u64>>,
    pub(crate) peak_mb: Option<Given<f64>>,
    pub(crate) kind: Option<Given<Choice>>,
    pub(crate) scope: Option<Given<Choice>>,
    pub(crate) measure: Option<Given<Choice>>,
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
    /// How many other macros stood on the function when this attribute last stepped back.
    pub(crate) deferred: Option<Given<usize>>,
    /// What the user wrote, to be handed on to the functions of a module.
    pub(crate) source: TokenStream,
}

/// A value, and where the user gave it.
pub(crate) struct Given<T> {
    pub(crate) name: Ident,
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// A name and whatever follows it up to the comma.
struct Argument {
    name: Ident,
    rest: TokenStream,
}

/// Written by this macro only; see `defer.rs`.
pub(crate) const DEFERRED: &str = "__deferred";

impl Args {
    pub(crate) fn parse(tokens: TokenStream) -> Result<Args> {
        let mut args = Args::default();
        let mut mistakes = Mistakes::default();
        let mut seen = Vec::new();
        for piece in split(tokens) {
            mistakes.take(args.read(&piece, &mut seen));
        }
        mistakes.take(check_units(&seen));
        mistakes.finish().map(|()| args)
    }

    /// Where the library is, seen from the user's crate. A path that the user gave keeps its place.
    pub(crate) fn krate(&self, span: Span) -> Path {
        let given = self.krate.as_ref().map(|given| given.value.clone());
        given.unwrap_or_else(|| {
            // The path is read as this crate's edition reads it: in edition 2015, which the user may
            // be in, a leading `::` is the user's own crate.
            let span = Span::call_site().located_at(span);
            parse_quote_spanned!(span=> ::leakcheck)
        })
    }

    /// The argument that asks for a repetition.
    pub(crate) fn repeats(&self) -> Option<&Ident> {
        let iterations = self.iterations.as_ref().map(|given| &given.name);
        iterations.or(self.warmup.as_ref().map(|given| &given.name))
    }

    fn read(&mut self, piece: &Piece, seen: &mut Vec<Ident>) -> Result<()> {
        let argument = piece.parse()?;
        if argument.name == DEFERRED {
            return put(&mut self.deferred, &argument, value::attributes);
        }
        self.source.extend(piece.tokens.clone());
        self.source.extend(piece.comma.clone().map(TokenTree::Punct));
        if seen.contains(&argument.name) {
            let name = &argument.name;
            return Err(Error::new(name.span(), format!("`{name}` is given twice")));
        }
        seen.push(argument.name.clone());
        self.set(&argument)
    }

    fn set(&mut self, argument: &Argument) -> Result<()> {
        let name = &argument.name;
        match name.to_string().as_str() {
            "threshold_mb" => put(&mut self.threshold_mb, argument, value::megabytes),
            "threshold_bytes" => put(&mut self.threshold_bytes, argument, value::bytes),
            "threshold_blocks" => put(&mut self.threshold_blocks, argument, value::blocks),
            "peak_mb" => put(&mut self.peak_mb, argument, value::megabytes),
            "kind" => put(&mut self.kind, argument, value::kind),
            "scope" => put(&mut self.scope, argument, value::scope),
            "measure" => put(&mut self.measure, argument, value::measure),
            "skip" if argument.rest.is_empty() => {
                self.skip = Some(without_reason(name));
                Ok(())
            }
            "skip" => put(&mut self.skip, argument, value::reason),
            "settle_ms" => put(&mut self.settle_ms, argument, value::milliseconds),
            "threads" => put(&mut self.threads, argument, value::threads),
            "fds" => put(&mut self.fds, argument, value::fds),
            "children" => put(&mut self.children, argument, value::children),
            "c_heap_mb" => put(&mut self.c_heap_mb, argument, value::megabytes),
            "lost_bytes" => put(&mut self.lost_bytes, argument, value::bytes),
            "top" => put(&mut self.top, argument, value::call_sites),
            "crate" => put(&mut self.krate, argument, value::path),
            "iterations" => put(&mut self.iterations, argument, value::iterations),
            "warmup" => put(&mut self.warmup, argument, value::warmup),
            _ => Err(names::unknown(name)),
        }
    }
}

/// The later of two names for the same limit is the one too many.
fn check_units(seen: &[Ident]) -> Result<()> {
    let mut units =
        seen.iter().filter(|name| *name == "threshold_mb" || *name == "threshold_bytes");
    match (units.next(), units.next()) {
        (Some(_), Some(second)) => Err(Error::new(
            second.span(),
            "`threshold_mb` and `threshold_bytes` are one limit in two units: give one of them",
        )),
        _ => Ok(()),
    }
}

fn without_reason(name: &Ident) -> Given<String> {
    Given { name: name.clone(), value: String::from("no reason given"), span: name.span() }
}

fn put<T>(
    slot: &mut Option<Given<T>>,
    argument: &Argument,
    read: fn(&Value) -> Result<T>,
) -> Result<()> {
    let value = argument.value()?;
    *slot = Some(Given { name: value.name.clone(), value: read(&value)?, span: value.span() });
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
        Error::new_spanned(self, format!("`{name}` needs a value, such as `{example}`"))
    }

    fn malformed(&self) -> Error {
        let (example, found) = (names::example(&self.name), text(&self.to_token_stream()));
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
            "expected `name = value`, such as `threshold_mb = 5`, found `{}`",
            text(&found)
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
struct Piece {
    tokens: TokenStream,
    comma: Option<Punct>,
}

impl Piece {
    fn parse(&self) -> Result<Argument> {
        match &self.comma {
            Some(comma) if self.tokens.is_empty() => {
                let message = "expected `name = value` before this comma";
                Err(Error::new(comma.span(), message))
            }
            _ => syn::parse2(self.tokens.clone()),
        }
    }
}

fn split(tokens: TokenStream) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut piece = TokenStream::new();
    for token in tokens {
        match token {
            TokenTree::Punct(comma) if comma.as_char() == ',' => {
                pieces.push(Piece { tokens: std::mem::take(&mut piece), comma: Some(comma) });
            }
            token => token.to_tokens(&mut piece),
        }
    }
    if !piece.is_empty() {
        pieces.push(Piece { tokens: piece, comma: None });
    }
    pieces
}
