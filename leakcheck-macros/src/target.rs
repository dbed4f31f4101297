//! The item that the attribute is applied to. Bodies are kept as tokens, because they may contain syntax that
//! rustc accepts and syn does not.

use crate::signature::{Input, Qualifiers, Signature};
use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt};
use syn::parse::discouraged::Speculative;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{AttrStyle, Attribute, Error, Result, Token, Visibility};

pub(crate) enum Target {
    Function(Box<Function>),
    Module(Module),
}

pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    vis: Visibility,
    pub(crate) sig: Signature,
    body: Group,
}

pub(crate) struct Module {
    pub(crate) attrs: Vec<Attribute>,
    vis: Visibility,
    unsafety: Option<Token![unsafe]>,
    mod_token: Token![mod],
    pub(crate) name: Ident,
    braces: Group,
    pub(crate) items: Vec<Item>,
}

pub(crate) enum Item {
    Function(Box<Function>),
    Module(Module),
    Other(TokenStream),
}

impl Target {
    pub(crate) fn attrs(&mut self) -> &mut Vec<Attribute> {
        match self {
            Target::Function(function) => &mut function.attrs,
            Target::Module(module) => &mut module.attrs,
        }
    }
}

impl Function {
    pub(crate) fn is_async(&self) -> bool {
        self.sig.qualifiers.asyncness.is_some()
    }

    /// Whether the function returns before its work has run.
    pub(crate) fn returns_a_future(&self) -> bool {
        !self.is_async() && self.sig.output().is_some_and(|ty| names_a_future(ty.clone()))
    }

    /// The first argument that one call can make unusable for the next: anything except a shared reference or a
    /// primitive.
    pub(crate) fn consumable_argument(&self) -> Option<&Input> {
        self.sig.inputs.iter().find(|input| !input.is_reusable())
    }

    /// The inner attributes of the body, which must stay at the start of the function's block, and the rest.
    pub(crate) fn body(&self) -> Result<(Vec<Attribute>, Group)> {
        let split = |input: ParseStream<'_>| {
            let inner = Attribute::parse_inner(input)?;
            Ok((inner, with_content(&self.body, input.parse()?)))
        };
        split.parse2(self.body.stream())
    }

    pub(crate) fn set_body(&mut self, body: Group) {
        self.body = body;
    }
}

/// The same braces around different tokens.
fn with_content(braces: &Group, tokens: TokenStream) -> Group {
    let mut group = Group::new(Delimiter::Brace, tokens);
    group.set_span(braces.span());
    group
}

impl Parse for Target {
    fn parse(input: ParseStream<'_>) -> Result<Target> {
        let item = input.fork();
        match input.parse()? {
            Item::Function(function) => Ok(Target::Function(function)),
            Item::Module(module) => Ok(Target::Module(module)),
            Item::Other(_) => Err(unsupported(&item)),
        }
    }
}

fn names_a_future(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(name) => {
            ["Future", "BoxFuture", "LocalBoxFuture"].iter().any(|future| name == future)
        }
        TokenTree::Group(group) => names_a_future(group.stream()),
        _ => false,
    })
}

/// An error on the keyword that identifies the item.
fn unsupported(item: ParseStream<'_>) -> Error {
    let keyword = Attribute::parse_outer(item)
        .and_then(|_| item.parse::<Visibility>())
        .and_then(|_| skip_qualifiers(item))
        .and_then(|()| item.parse::<TokenTree>());
    match keyword {
        Ok(keyword) => {
            let bodiless = matches!(keyword.to_string().as_str(), "fn" | "mod");
            let suffix = if bodiless { " without a body" } else { "" };
            let message = format!(
                "`#[leak_check]` can only be applied to a function or an inline module, found `{keyword}`{suffix}"
            );
            Error::new(keyword.span(), message)
        }
        Err(error) => error,
    }
}

/// Skips the qualifiers of a function, so that the keyword found is `fn`.
fn skip_qualifiers(item: ParseStream<'_>) -> Result<()> {
    let ahead = item.fork();
    ahead.parse::<Qualifiers>()?;
    if ahead.peek(Token![fn]) {
        item.advance_to(&ahead);
    }
    Ok(())
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> Result<Item> {
        let attempt = input.fork();
        if let Ok(function) = attempt.parse() {
            input.advance_to(&attempt);
            Ok(Item::Function(function))
        } else if is_inline_module(&input.fork()) {
            input.parse().map(Item::Module)
        } else {
            parse_other(input).map(Item::Other)
        }
    }
}

fn is_inline_module(input: ParseStream<'_>) -> bool {
    let head = || -> Result<()> {
        Attribute::parse_outer(input)?;
        input.parse::<Visibility>()?;
        input.parse::<Option<Token![unsafe]>>()?;
        input.parse::<Token![mod]>()?;
        input.parse::<Ident>()?;
        Ok(())
    };
    head().is_ok() && input.peek(syn::token::Brace)
}

/// Parses any other item up to its semicolon, or up to its closing brace for items that end with one. If braces in
/// a generic argument are mistaken for the end, the item is split in two, which does no harm.
fn parse_other(input: ParseStream<'_>) -> Result<TokenStream> {
    let mut tokens = TokenStream::new();
    tokens.append_all(Attribute::parse_outer(input)?);
    input.parse::<Visibility>()?.to_tokens(&mut tokens);
    let ends_with_brace = !(input.peek(Token![use])
        || input.peek(Token![const])
        || input.peek(Token![static])
        || input.peek(Token![type]));
    loop {
        let token: TokenTree = input.parse()?;
        let end = match &token {
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Group(group) => ends_with_brace && group.delimiter() == Delimiter::Brace,
            _ => false,
        };
        tokens.append(token);
        if end || input.is_empty() {
            return Ok(tokens);
        }
    }
}

/// Parses a group in braces. A `$body:block` of a macro has invisible delimiters around the braces.
fn parse_braces(input: ParseStream<'_>) -> Result<Group> {
    match input.parse()? {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Ok(group),
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            parse_braces.parse2(group.stream())
        }
        other => Err(Error::new(other.span(), "expected braces")),
    }
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Function> {
        let attrs = Attribute::parse_outer(input)?;
        let (vis, sig) = (input.parse()?, input.parse()?);
        Ok(Function { attrs, vis, sig, body: parse_braces(input)? })
    }
}

impl Parse for Module {
    fn parse(input: ParseStream<'_>) -> Result<Module> {
        let attrs = Attribute::parse_outer(input)?;
        let vis = input.parse()?;
        let unsafety = input.parse()?;
        let mod_token = input.parse()?;
        let name = input.parse()?;
        let braces = parse_braces(input)?;
        let content = |input: ParseStream<'_>| {
            let inner = Attribute::parse_inner(input)?;
            let mut items = Vec::new();
            while !input.is_empty() {
                items.push(input.parse()?);
            }
            Ok((inner, items))
        };
        let (inner, items) = content.parse2(braces.stream())?;
        let attrs = attrs.into_iter().chain(inner).collect();
        Ok(Module { attrs, vis, unsafety, mod_token, name, braces, items })
    }
}

impl ToTokens for Target {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Target::Function(function) => function.to_tokens(tokens),
            Target::Module(module) => module.to_tokens(tokens),
        }
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.append_all(&self.attrs);
        self.vis.to_tokens(tokens);
        self.sig.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}

impl ToTokens for Module {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let is_outer = |attr: &&Attribute| matches!(attr.style, AttrStyle::Outer);
        let (outer, inner): (Vec<_>, Vec<_>) = self.attrs.iter().partition(is_outer);
        tokens.append_all(outer);
        self.vis.to_tokens(tokens);
        self.unsafety.to_tokens(tokens);
        self.mod_token.to_tokens(tokens);
        self.name.to_tokens(tokens);
        let mut content = TokenStream::new();
        content.append_all(inner);
        content.append_all(&self.items);
        with_content(&self.braces, content).to_tokens(tokens);
    }
}

impl ToTokens for Item {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Item::Function(function) => function.to_tokens(tokens),
            Item::Module(module) => module.to_tokens(tokens),
            Item::Other(other) => other.to_tokens(tokens),
        }
    }
}
