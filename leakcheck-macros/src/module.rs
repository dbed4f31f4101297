//! A module: the attribute goes on to each test function inside, however deep.

use crate::args::Args;
use crate::defer::attribute_on;
use crate::target::{Function, Item, Module};
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Meta, Path, Result, Token, parse_quote, parse_quote_spanned};

/// Macros that make a test of a function, besides those whose names end in `_test`.
const TEST_MACROS: [&str; 9] = [
    "apply",
    "gtest",
    "parameterized",
    "proptest",
    "quickcheck",
    "rstest",
    "test",
    "test_case",
    "test_matrix",
];

pub(crate) fn spread(args: &Args, module: &mut Module) -> Result<()> {
    let mut tests = 0;
    spread_over(args, module, &mut tests);
    if tests > 0 {
        // rustc takes `#[cfg(test)]` away before the attribute sees the module, and clippy looks for
        // it to know what is a test's. Where it stood this is it again; elsewhere it changes nothing.
        module.attrs.push(parse_quote!(#[cfg_attr(test, cfg(test))]));
        return Ok(());
    }
    let name = &module.name;
    let message =
        format!("no test functions found in module `{name}`: put the attribute on the functions");
    Err(Error::new(name.span(), message))
}

fn spread_over(args: &Args, module: &mut Module, tests: &mut usize) {
    for item in &mut module.items {
        match item {
            Item::Function(function) if is_test(function) => {
                *tests += 1;
                give(args, &function.sig.ident, &mut function.attrs);
            }
            Item::Module(inner) if own(&inner.attrs).is_some() => {
                *tests += 1;
                give(args, &inner.name, &mut inner.attrs);
            }
            Item::Module(inner) => spread_over(args, inner, tests),
            Item::Function(_) | Item::Other(_) => {}
        }
    }
}

/// Adds the attribute, except under the conditions where the item has one of its own.
fn give(args: &Args, name: &Ident, attrs: &mut Vec<Attribute>) {
    let given = attribute_on(args, name, &args.source);
    match own(attrs) {
        None => attrs.push(given),
        Some(Own::Always) => {}
        Some(Own::When(conditions)) => {
            let meta = given.meta;
            attrs.push(parse_quote_spanned!(name.span()=>
                #[cfg_attr(not(any(#(#conditions),*)), #meta)]
            ));
        }
    }
}

/// An attribute of the item's own, which wins over the module's.
enum Own {
    Always,
    When(Vec<TokenStream>),
}

fn own(attrs: &[Attribute]) -> Option<Own> {
    if attrs.iter().any(|attr| is_leak_check(attr.path())) {
        return Some(Own::Always);
    }
    let conditions: Vec<_> = attrs.iter().flat_map(|attr| conditions(&attr.meta)).collect();
    (!conditions.is_empty()).then_some(Own::When(conditions))
}

/// When a `cfg_attr` stands for the attribute, however deep inside others.
fn conditions(meta: &Meta) -> Vec<TokenStream> {
    let Some((condition, metas)) = conditional(meta) else { return Vec::new() };
    let inside = |meta: &Meta| -> Vec<TokenStream> {
        let deeper = conditions(meta).into_iter().map(|inner| quote!(all(#condition, #inner)));
        deeper.chain(is_leak_check(meta.path()).then(|| condition.clone())).collect()
    };
    metas.iter().flat_map(inside).collect()
}

pub(crate) fn is_leak_check(path: &Path) -> bool {
    last_name(path) == "leak_check"
}

fn is_test(function: &Function) -> bool {
    // A template of rstest_reuse looks like a test; the functions that apply it are the tests.
    let is_template = function.attrs.iter().any(|attr| last_name(attr.path()) == "template");
    !is_template && function.attrs.iter().any(|attr| any_path(&attr.meta, &is_test_macro))
}

fn is_test_macro(path: &Path) -> bool {
    let name = last_name(path);
    name.ends_with("_test") || TEST_MACROS.contains(&name.as_str())
}

fn last_name(path: &Path) -> String {
    path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default()
}

/// Looks at an attribute's path, and through `cfg_attr` at those that it stands for.
fn any_path(meta: &Meta, holds: &dyn Fn(&Path) -> bool) -> bool {
    match conditional(meta) {
        Some((_, metas)) => metas.iter().any(|meta| any_path(meta, holds)),
        None => holds(meta.path()),
    }
}

/// The condition of a `cfg_attr` and the attributes behind it.
fn conditional(meta: &Meta) -> Option<(TokenStream, Vec<Meta>)> {
    let list = meta.require_list().ok().filter(|list| list.path.is_ident("cfg_attr"))?;
    let metas = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(list.tokens.clone()).ok()?;
    let mut metas = metas.into_iter();
    let condition = metas.next()?.into_token_stream();
    Some((condition, metas.collect()))
}
