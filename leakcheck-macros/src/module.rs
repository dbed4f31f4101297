//! Applies the attribute of a module to each test function inside, at any depth.

use crate::args::Args;
use crate::defer::attribute_for;
use crate::target::{Function, Item, Module};
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Meta, Path, Result, Token, parse_quote, parse_quote_spanned};

/// Macros that turn a function into a test, besides those whose names end in `_test`.
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

pub(crate) fn apply_to_tests(args: &Args, module: &mut Module) -> Result<()> {
    let mut tests = 0;
    visit_items(args, module, &mut tests);
    if tests > 0 {
        // rustc removes `#[cfg(test)]` before the attribute sees the module, but clippy needs it to recognize
        // test code. This restores it, and has no effect where there was none.
        module.attrs.push(parse_quote!(#[cfg_attr(test, cfg(test))]));
        return Ok(());
    }
    let name = &module.name;
    let message = format!(
        "found no test functions in module `{name}`; apply `#[leak_check]` to each function instead"
    );
    Err(Error::new(name.span(), message))
}

fn visit_items(args: &Args, module: &mut Module, tests: &mut usize) {
    for item in &mut module.items {
        match item {
            Item::Function(function) if is_test(function) => {
                *tests += 1;
                add_attribute(args, &function.sig.ident, &mut function.attrs);
            }
            Item::Module(inner) if existing_attribute(&inner.attrs).is_some() => {
                *tests += 1;
                add_attribute(args, &inner.name, &mut inner.attrs);
            }
            Item::Module(inner) => visit_items(args, inner, tests),
            Item::Function(_) | Item::Other(_) => {}
        }
    }
}

/// Adds the attribute, except under the conditions where the item already has one.
fn add_attribute(args: &Args, name: &Ident, attrs: &mut Vec<Attribute>) {
    let attribute = attribute_for(args, name, &args.source);
    match existing_attribute(attrs) {
        None => attrs.push(attribute),
        Some(Existing::Always) => {}
        Some(Existing::If(conditions)) => {
            let meta = attribute.meta;
            attrs.push(parse_quote_spanned!(name.span()=>
                #[cfg_attr(not(any(#(#conditions),*)), #meta)]
            ));
        }
    }
}

/// A `#[leak_check]` on the item itself, which takes precedence over the module's.
enum Existing {
    Always,
    /// Under any of these `cfg` conditions.
    If(Vec<TokenStream>),
}

fn existing_attribute(attrs: &[Attribute]) -> Option<Existing> {
    if attrs.iter().any(|attr| is_leak_check(attr.path())) {
        return Some(Existing::Always);
    }
    let conditions: Vec<_> = attrs.iter().flat_map(|attr| conditions(&attr.meta)).collect();
    (!conditions.is_empty()).then_some(Existing::If(conditions))
}

/// The conditions under which a `cfg_attr`, possibly nested, adds `#[leak_check]`.
fn conditions(meta: &Meta) -> Vec<TokenStream> {
    let Some((condition, metas)) = parse_cfg_attr(meta) else { return Vec::new() };
    let conditions_of = |meta: &Meta| -> Vec<TokenStream> {
        let nested = conditions(meta).into_iter().map(|inner| quote!(all(#condition, #inner)));
        nested.chain(is_leak_check(meta.path()).then(|| condition.clone())).collect()
    };
    metas.iter().flat_map(conditions_of).collect()
}

pub(crate) fn is_leak_check(path: &Path) -> bool {
    last_name(path) == "leak_check"
}

fn is_test(function: &Function) -> bool {
    // A template of rstest_reuse has the attributes of a test; the tests are the functions that apply it.
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

/// Whether the predicate is true for the attribute's path, or for any path that a `cfg_attr` adds.
fn any_path(meta: &Meta, predicate: &dyn Fn(&Path) -> bool) -> bool {
    match parse_cfg_attr(meta) {
        Some((_, metas)) => metas.iter().any(|meta| any_path(meta, predicate)),
        None => predicate(meta.path()),
    }
}

/// The condition of a `cfg_attr` and the attributes that it adds.
fn parse_cfg_attr(meta: &Meta) -> Option<(TokenStream, Vec<Meta>)> {
    let list = meta.require_list().ok().filter(|list| list.path.is_ident("cfg_attr"))?;
    let metas = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(list.tokens.clone()).ok()?;
    let mut metas = metas.into_iter();
    let condition = metas.next()?.into_token_stream();
    Some((condition, metas.collect()))
}
