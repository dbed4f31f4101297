//! The values of the arguments, parsed from literals.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use std::fmt::Display;
use std::str::FromStr;
use syn::{Error, Ident, Lit, Path, Result};

/// The tokens after `name =`.
pub(crate) struct Value {
    pub(crate) name: Ident,
    pub(crate) tokens: TokenStream,
}

impl Value {
    pub(crate) fn span(&self) -> Span {
        let first = self.tokens.clone().into_iter().next();
        first.map_or(self.name.span(), |token| token.span())
    }

    /// The value as a literal. No argument accepts a negative number, so one with a sign is `None`.
    fn literal(&self) -> Option<Lit> {
        let literal: Lit = syn::parse2(self.tokens.clone()).ok()?;
        let negative = literal.to_token_stream().to_string().starts_with('-');
        (!negative).then_some(literal)
    }

    fn unexpected(&self, expected: &str) -> Error {
        let (name, found) = (&self.name, source_text(&self.tokens));
        let message = format!("`{name}` expects {expected}, found `{found}`");
        Error::new_spanned(&self.tokens, message)
    }
}

/// A variant of one of the library's enums.
#[derive(Clone, Copy)]
pub(crate) struct EnumVariant {
    ty: &'static str,
    variant: &'static str,
}

impl ToTokens for EnumVariant {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let ident = |name| Ident::new(name, Span::call_site());
        let (ty, variant) = (ident(self.ty), ident(self.variant));
        tokens.extend(quote!(#ty::#variant));
    }
}

/// How many iterations of the body are judged.
#[derive(Clone, Copy)]
pub(crate) enum Iterations {
    Auto,
    Exactly(u64),
}

impl Iterations {
    /// The expression for this value, with the library at the path `krate`.
    pub(crate) fn to_expression(self, krate: &Path) -> TokenStream {
        match self {
            Self::Auto => quote!(#krate::Iterations::Auto),
            Self::Exactly(iterations) => quote!(#iterations),
        }
    }
}

pub(crate) fn iterations(value: &Value) -> Result<Iterations> {
    if string(value).as_deref() == Some("auto") {
        return Ok(Iterations::Auto);
    }
    match value.literal() {
        Some(Lit::Int(_)) => match whole_number(value, "iterations", "100", u64::MAX)? {
            0 => Err(value.unexpected("at least 1 iteration")),
            number => Ok(Iterations::Exactly(number)),
        },
        _ => Err(value.unexpected("`\"auto\"` or a number of iterations such as `100`")),
    }
}

pub(crate) fn warmup(value: &Value) -> Result<u64> {
    whole_number(value, "iterations", "2", u64::MAX)
}

pub(crate) fn mebibytes(value: &Value) -> Result<f64> {
    let number = match value.literal() {
        Some(Lit::Int(literal)) if is_integer_suffix(literal.suffix()) => {
            literal.base10_parse::<f64>().ok()
        }
        Some(Lit::Float(literal)) if matches!(literal.suffix(), "" | "f32" | "f64") => {
            literal.base10_parse::<f64>().ok()
        }
        _ => None,
    };
    number
        .filter(|number| number.is_finite())
        .ok_or_else(|| value.unexpected("a size in MiB such as `5` or `0.5`"))
}

pub(crate) fn bytes(value: &Value) -> Result<u64> {
    whole_number(value, "bytes", "4096", u64::MAX)
}

pub(crate) fn blocks(value: &Value) -> Result<u64> {
    whole_number(value, "blocks", "3", u64::MAX)
}

pub(crate) fn milliseconds(value: &Value) -> Result<u64> {
    whole_number(value, "milliseconds", "500", u64::MAX)
}

pub(crate) fn threads(value: &Value) -> Result<u64> {
    whole_number(value, "threads", "0", u64::MAX)
}

pub(crate) fn fds(value: &Value) -> Result<u64> {
    whole_number(value, "file descriptors", "0", u64::MAX)
}

pub(crate) fn children(value: &Value) -> Result<u64> {
    whole_number(value, "child processes", "0", u64::MAX)
}

pub(crate) fn call_sites(value: &Value) -> Result<u64> {
    match whole_number(value, "call sites", "10", u64::MAX)? {
        0 => Err(value.unexpected("at least 1 call site")),
        number => Ok(number),
    }
}

/// The number of other macros that a moved attribute has counted.
pub(crate) fn attributes(value: &Value) -> Result<usize> {
    whole_number(value, "attributes", "1", usize::MAX)
}

/// A whole number of `things`, at most `max`.
fn whole_number<N: FromStr<Err: Display> + Display>(
    value: &Value,
    things: &str,
    example: &str,
    max: N,
) -> Result<N> {
    match value.literal() {
        Some(Lit::Int(literal)) if is_integer_suffix(literal.suffix()) => {
            let expected = || format!("a number of {things} up to {max}");
            literal.base10_parse().map_err(|_| value.unexpected(&expected()))
        }
        _ => Err(value.unexpected(&format!("a whole number of {things} such as `{example}`"))),
    }
}

fn is_integer_suffix(suffix: &str) -> bool {
    matches!(
        suffix,
        "" | "u8"
            | "u16"
            | "u32"
            | "u64"
            | "u128"
            | "usize"
            | "i8"
            | "i16"
            | "i32"
            | "i64"
            | "i128"
            | "isize"
    )
}

pub(crate) fn kind(value: &Value) -> Result<EnumVariant> {
    let variants =
        [("unit", "Unit"), ("integration", "Integration"), ("long_running", "LongRunning")];
    enum_variant(value, "Kind", &variants)
}

pub(crate) fn scope(value: &Value) -> Result<EnumVariant> {
    enum_variant(value, "Scope", &[("test", "Test"), ("process", "Process")])
}

pub(crate) fn measure(value: &Value) -> Result<EnumVariant> {
    enum_variant(value, "Metric", &[("net", "Net"), ("retained", "Retained")])
}

fn enum_variant(
    value: &Value,
    ty: &'static str,
    variants: &[(&'static str, &'static str)],
) -> Result<EnumVariant> {
    let found = string(value);
    variants
        .iter()
        .find(|(name, _)| found.as_deref() == Some(name))
        .map(|&(_, variant)| EnumVariant { ty, variant })
        .ok_or_else(|| value.unexpected(&alternatives(variants)))
}

fn alternatives(variants: &[(&str, &str)]) -> String {
    let quoted: Vec<_> = variants.iter().map(|(name, _)| format!("`\"{name}\"`")).collect();
    let (last, others) = quoted.split_last().expect("an enum has variants");
    format!("{} or {last}", others.join(", "))
}

pub(crate) fn reason(value: &Value) -> Result<String> {
    string(value)
        .filter(|reason| !reason.trim().is_empty())
        .ok_or_else(|| value.unexpected("a reason such as `\"needs the network\"`"))
}

/// A path, bare or in a string: both forms are common in attributes.
pub(crate) fn path(value: &Value) -> Result<Path> {
    let path = match value.literal() {
        Some(Lit::Str(literal)) => literal.parse_with(Path::parse_mod_style),
        _ => syn::parse::Parser::parse2(Path::parse_mod_style, value.tokens.clone()),
    };
    path.map_err(|_| value.unexpected("a path such as `my_reexports::leakcheck`"))
}

fn string(value: &Value) -> Option<String> {
    match value.literal() {
        Some(Lit::Str(literal)) if literal.suffix().is_empty() => Some(literal.value()),
        _ => None,
    }
}

/// The tokens as the user wrote them, except for white space.
pub(crate) fn source_text(tokens: &TokenStream) -> String {
    let text = tokens.to_string();
    match tokens.clone().into_iter().next() {
        Some(TokenTree::Punct(sign)) if sign.as_char() == '-' => {
            format!("-{}", text[1..].trim_start())
        }
        _ => text,
    }
}
