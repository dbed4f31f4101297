//! The signature of a function. Types, generics and `where` clauses are kept as tokens: nothing here looks into
//! them, and syn parses signatures only with its feature `full`, which doubles the time that syn takes to build.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt};
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Abi, Attribute, Lifetime, Result, Token, Type, token};

pub(crate) struct Signature {
    pub(crate) qualifiers: Qualifiers,
    fn_token: Token![fn],
    pub(crate) ident: Ident,
    generics: TokenStream,
    pub(crate) inputs: Vec<Input>,
    parentheses: Group,
    arrow: Option<Token![->]>,
    output: TokenStream,
    where_clause: TokenStream,
}

/// What may stand before `fn`.
pub(crate) struct Qualifiers {
    pub(crate) constness: Option<Token![const]>,
    pub(crate) asyncness: Option<Token![async]>,
    unsafety: Option<Token![unsafe]>,
    abi: Option<Abi>,
}

/// A parameter of a function.
pub(crate) struct Input {
    tokens: TokenStream,
    pattern: TokenStream,
    /// `None` for `self` and references to it.
    ty: Option<TokenStream>,
}

impl Signature {
    /// The return type, unless it is `()`.
    pub(crate) fn output(&self) -> Option<&TokenStream> {
        self.arrow.filter(|_| !is_unit(&self.output)).map(|_| &self.output)
    }
}

fn is_unit(ty: &TokenStream) -> bool {
    matches!(only_token(ty), Some(TokenTree::Group(group))
        if group.delimiter() == Delimiter::Parenthesis && group.stream().is_empty())
}

/// Whether this is the type `!`.
pub(crate) fn is_never(ty: &TokenStream) -> bool {
    matches!(only_token(ty), Some(TokenTree::Punct(punct)) if punct.as_char() == '!')
}

fn only_token(tokens: &TokenStream) -> Option<TokenTree> {
    let mut tokens = tokens.clone().into_iter();
    tokens.next().filter(|_| tokens.next().is_none())
}

impl Input {
    /// The pattern, or `self`.
    pub(crate) fn name(&self) -> TokenStream {
        match &self.ty {
            Some(_) => self.pattern.clone(),
            None => self.pattern.clone().into_iter().filter(is_self).collect(),
        }
    }

    /// Whether one call leaves the argument as it was for the next: a shared reference or a primitive.
    pub(crate) fn is_reusable(&self) -> bool {
        match &self.ty {
            None => is_shared_reference.parse2(self.pattern.clone()).unwrap_or(false),
            Some(ty) => {
                is_plain_name(&self.pattern)
                    && syn::parse2(ty.clone()).is_ok_and(|ty| is_reusable(&ty))
            }
        }
    }
}

fn is_self(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == "self")
}

/// Whether a receiver is `&self`, with or without a lifetime.
fn is_shared_reference(receiver: ParseStream<'_>) -> Result<bool> {
    receiver.parse::<Token![&]>()?;
    receiver.parse::<Option<Lifetime>>()?;
    let is_shared = receiver.peek(Token![self]);
    receiver.parse::<TokenStream>().map(|_| is_shared)
}

/// Whether a pattern is a name or `_`. A pattern such as `mut n` lets one call change what the next one sees.
fn is_plain_name(pattern: &TokenStream) -> bool {
    pattern.clone().into_iter().all(|token| match token {
        TokenTree::Ident(ident) => ident != "mut" && ident != "self",
        TokenTree::Group(group) => {
            group.delimiter() == Delimiter::None && is_plain_name(&group.stream())
        }
        _ => false,
    })
}

/// Whether a value of this type can be used by any number of calls.
fn is_reusable(ty: &Type) -> bool {
    match ty {
        Type::Reference(reference) => reference.mutability.is_none(),
        Type::Path(path) => PRIMITIVES.iter().any(|name| path.path.is_ident(name)),
        Type::Group(group) => is_reusable(&group.elem),
        Type::Paren(paren) => is_reusable(&paren.elem),
        _ => false,
    }
}

const PRIMITIVES: [&str; 16] = [
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32",
    "u64", "u128", "usize",
];

impl Parse for Signature {
    fn parse(input: ParseStream<'_>) -> Result<Signature> {
        let (qualifiers, fn_token, ident) = (input.parse()?, input.parse()?, input.parse()?);
        let generics = tokens_before(input, |input| input.peek(token::Paren))?;
        let parentheses: Group = input.parse()?;
        let inputs = parse_inputs.parse2(parentheses.stream())?;
        let arrow: Option<Token![->]> = input.parse()?;
        let is_body = |input: ParseStream<'_>| input.peek(token::Brace) || input.peek(Token![;]);
        let output = tokens_before(input, |input| input.peek(Token![where]) || is_body(input))?;
        let where_clause = tokens_before(input, is_body)?;
        Ok(Signature {
            qualifiers,
            fn_token,
            ident,
            generics,
            inputs,
            parentheses,
            arrow,
            output,
            where_clause,
        })
    }
}

impl Parse for Qualifiers {
    fn parse(input: ParseStream<'_>) -> Result<Qualifiers> {
        Ok(Qualifiers {
            constness: input.parse()?,
            asyncness: input.parse()?,
            unsafety: input.parse()?,
            abi: input.parse()?,
        })
    }
}

fn parse_inputs(input: ParseStream<'_>) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    while !input.is_empty() {
        inputs.push(input.parse()?);
        input.parse::<Option<Token![,]>>()?;
    }
    Ok(inputs)
}

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> Result<Input> {
        let attrs = Attribute::parse_outer(input)?;
        let is_end = |input: ParseStream<'_>| input.peek(Token![,]);
        let is_colon = |input: ParseStream<'_>| input.peek(Token![:]) && !input.peek(Token![::]);
        let pattern = tokens_before(input, |input| is_colon(input) || is_end(input))?;
        let colon: Option<Token![:]> = input.parse()?;
        let ty = colon.map(|_| tokens_before(input, is_end)).transpose()?;
        let mut tokens = TokenStream::new();
        tokens.append_all(attrs);
        pattern.to_tokens(&mut tokens);
        colon.to_tokens(&mut tokens);
        ty.to_tokens(&mut tokens);
        Ok(Input { tokens, pattern, ty })
    }
}

/// The tokens before the first place outside angle brackets where `is_end` is true, or all of them.
fn tokens_before(
    input: ParseStream<'_>,
    is_end: impl Fn(ParseStream<'_>) -> bool,
) -> Result<TokenStream> {
    let mut tokens = TokenStream::new();
    let mut depth = 0;
    while !input.is_empty() && (depth > 0 || !is_end(input)) {
        if let Some(arrow) = input.parse::<Option<Token![->]>>()? {
            arrow.to_tokens(&mut tokens);
            continue;
        }
        let token: TokenTree = input.parse()?;
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == '<' => depth += 1,
            TokenTree::Punct(punct) if punct.as_char() == '>' => depth -= 1,
            _ => {}
        }
        tokens.append(token);
    }
    Ok(tokens)
}

impl ToTokens for Signature {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.qualifiers.to_tokens(tokens);
        self.fn_token.to_tokens(tokens);
        self.ident.to_tokens(tokens);
        self.generics.to_tokens(tokens);
        self.parentheses.to_tokens(tokens);
        self.arrow.to_tokens(tokens);
        self.output.to_tokens(tokens);
        self.where_clause.to_tokens(tokens);
    }
}

impl ToTokens for Qualifiers {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.constness.to_tokens(tokens);
        self.asyncness.to_tokens(tokens);
        self.unsafety.to_tokens(tokens);
        self.abi.to_tokens(tokens);
    }
}

impl ToTokens for Input {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.tokens.to_tokens(tokens);
    }
}
