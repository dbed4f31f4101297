//! Who goes first. Other macros (`#[tokio::test]`, `#[rstest]`, …) rewrite the function, and the check belongs
//! around what they make of it: so while one of them still stands on the function, this attribute moves to the
//! end of the list.

use crate::args::{Args, DEFERRED};
use crate::target::Function;
use proc_macro2::{Ident, TokenStream};
use quote::quote_spanned;
use syn::{Attribute, Meta, Path, parse_quote_spanned};

/// Attributes of the language that a function can have. None of them rewrites it.
const BUILT_IN: [&str; 26] = [
    "allow",
    "automatically_derived",
    "bench",
    "cfg",
    "cfg_attr",
    "cold",
    "coverage",
    "deny",
    "deprecated",
    "doc",
    "expect",
    "export_name",
    "forbid",
    "ignore",
    "inline",
    "instruction_set",
    "link_section",
    "must_use",
    "naked",
    "no_mangle",
    "optimize",
    "should_panic",
    "target_feature",
    "track_caller",
    "unsafe",
    "warn",
];

/// The first segments of attributes that are for tools.
const TOOLS: [&str; 6] = ["clippy", "diagnostic", "miri", "rust_analyzer", "rustdoc", "rustfmt"];

/// How many other macros have to run before the check can wrap the function, or `None` where it can now.
///
/// A macro that expands may shuffle the list (test_case does), so that others stand behind this attribute
/// again. It steps back as long as they grow fewer: what stays is an attribute that nothing ever expands.
pub(crate) fn pending(args: &Args, function: &Function) -> Option<usize> {
    let macros = function.attrs.iter().filter(|attr| may_rewrite(attr, function)).count();
    let before = args.deferred.as_ref().map_or(usize::MAX, |deferred| deferred.value);
    (macros > 0 && macros < before).then_some(macros)
}

/// Moves the attribute to the end of the function's list, and changes nothing else.
pub(crate) fn defer(args: &Args, function: &mut Function, pending: usize) {
    let source = &args.source;
    let marker = Ident::new(DEFERRED, function.sig.ident.span());
    let tokens = quote_spanned!(function.sig.ident.span()=> #marker = #pending, #source);
    function.attrs.push(attribute_on(args, &function.sig.ident, &tokens));
}

/// This attribute, to be put on an item of that name. Its place in the source is the name's, so that a panic
/// and `line!()` point there.
pub(crate) fn attribute_on(args: &Args, name: &Ident, tokens: &TokenStream) -> Attribute {
    let krate = args.krate(name.span());
    parse_quote_spanned!(name.span()=> #[#krate::leak_check(#tokens)])
}

fn may_rewrite(attr: &Attribute, function: &Function) -> bool {
    let path = attr.path();
    if path.is_ident("test") {
        return !is_plain_test(attr, function);
    }
    !(is_built_in(path) || is_for_a_tool(path) || is_test_of_the_prelude(path))
}

/// A `#[test]` that takes arguments, or stands on a function that the language's own could not run, is
/// somebody's macro of that name.
fn is_plain_test(attr: &Attribute, function: &Function) -> bool {
    matches!(attr.meta, Meta::Path(_)) && !function.is_async() && function.sig.inputs.is_empty()
}

fn is_built_in(path: &Path) -> bool {
    BUILT_IN.iter().any(|name| path.is_ident(name))
}

fn is_for_a_tool(path: &Path) -> bool {
    path.segments.len() > 1 && TOOLS.iter().any(|tool| path.segments[0].ident == tool)
}

/// `::core::prelude::v1::test`, as other macros write it.
fn is_test_of_the_prelude(path: &Path) -> bool {
    let names: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    matches!(
        names.iter().map(String::as_str).collect::<Vec<_>>()[..],
        ["core" | "std", "prelude", _, "test" | "bench"]
    )
}
