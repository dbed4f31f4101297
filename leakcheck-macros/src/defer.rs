//! Lets other macros expand first. `#[tokio::test]`, `#[rstest]` and others rewrite the function, and the check must
//! wrap the result. As long as the function has such a macro, this attribute moves to the end of the attribute list.

use crate::args::{Args, DEFERRED};
use crate::target::Function;
use proc_macro2::{Ident, TokenStream};
use quote::quote_spanned;
use syn::{Attribute, Meta, Path, parse_quote_spanned};

/// Built-in attributes that a function can have. None of them rewrites it.
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

/// The first segments of tool attributes.
const TOOLS: [&str; 6] = ["clippy", "diagnostic", "miri", "rust_analyzer", "rustdoc", "rustfmt"];

/// The number of other macros that must expand before the check can wrap the function, or `None` if it can now.
///
/// A macro may reorder the list when it expands (`test_case` does), so that others follow this attribute again. The
/// attribute moves as long as their number decreases; those that remain are never expanded.
pub(crate) fn pending_macros(args: &Args, function: &Function) -> Option<usize> {
    let macros = function.attrs.iter().filter(|attr| may_rewrite(attr, function)).count();
    let previously = args.deferred.as_ref().map_or(usize::MAX, |deferred| deferred.value);
    (macros > 0 && macros < previously).then_some(macros)
}

/// Moves the attribute to the end of the function's list, without any other change.
pub(crate) fn move_to_end(args: &Args, function: &mut Function, pending: usize) {
    let source = &args.source;
    let marker = Ident::new(DEFERRED, function.sig.ident.span());
    let tokens = quote_spanned!(function.sig.ident.span()=> #marker = #pending, #source);
    function.attrs.push(attribute_for(args, &function.sig.ident, &tokens));
}

/// This attribute for the item `name`. It has the span of the name, so that panics and `line!()` refer to that line.
pub(crate) fn attribute_for(args: &Args, name: &Ident, tokens: &TokenStream) -> Attribute {
    let krate = args.krate(name.span());
    parse_quote_spanned!(name.span()=> #[#krate::leak_check(#tokens)])
}

fn may_rewrite(attr: &Attribute, function: &Function) -> bool {
    let path = attr.path();
    if path.is_ident("test") {
        return !is_builtin_test(attr, function);
    }
    !(is_built_in(path) || is_tool_attribute(path) || is_prelude_test(path))
}

/// Whether this `#[test]` is the built-in one. If it has arguments, or the built-in one could not run the function,
/// it is a macro of the same name.
fn is_builtin_test(attr: &Attribute, function: &Function) -> bool {
    matches!(attr.meta, Meta::Path(_)) && !function.is_async() && function.sig.inputs.is_empty()
}

fn is_built_in(path: &Path) -> bool {
    BUILT_IN.iter().any(|name| path.is_ident(name))
}

fn is_tool_attribute(path: &Path) -> bool {
    path.segments.len() > 1 && TOOLS.iter().any(|tool| path.segments[0].ident == tool)
}

/// Whether the path is `::core::prelude::v1::test`, which other macros emit.
fn is_prelude_test(path: &Path) -> bool {
    let names: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    matches!(
        names.iter().map(String::as_str).collect::<Vec<_>>()[..],
        ["core" | "std", "prelude", _, "test" | "bench"]
    )
}
