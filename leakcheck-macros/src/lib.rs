//! docs todo
#![forbid(unsafe_code)]

mod args;
mod defer;
mod expand;
mod fallback;
mod mistakes;
mod module;
mod names;
mod target;
mod value;

use args::Args;
use mistakes::Mistakes;
use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Error, Result};
use target::Target;

/// docs todo
#[proc_macro_attribute]
pub fn leak_check(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    attribute(args.into(), item.into()).into()
}

fn attribute(args: TokenStream, item: TokenStream) -> TokenStream {
    try_attribute(args, item.clone()).unwrap_or_else(|error| fallback::keep(item, &error))
}

fn try_attribute(args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut mistakes = Mistakes::default();
    let args = mistakes.take(Args::parse(args));
    let target = mistakes.take(syn::parse2(item).and_then(check));
    mistakes.finish()?;
    match (args, target) {
        (Some(args), Some(target)) => apply(&args, target).map(ToTokens::into_token_stream),
        _ => unreachable!("a step without a value has left a mistake"),
    }
}

fn check(mut target: Target) -> Result<Target> {
    let mut mistakes = Mistakes::default();
    if let Target::Function(function) = &target
        && let Some(token) = function.sig.constness
    {
        mistakes.add(Error::new(token.span, "a `const fn` cannot be checked"));
    }
    for attr in target.attrs().iter().filter(|attr| module::is_leak_check(attr.path())) {
        mistakes.add(Error::new_spanned(attr.path(), "`#[leak_check]` is given twice"));
    }
    mistakes.finish().map(|()| target)
}

fn apply(args: &Args, target: Target) -> Result<Target> {
    match target {
        Target::Function(function) => match defer::pending(args, &function) {
            Some(macros) => Ok(Target::Function(defer::defer(args, function, macros))),
            None => expand::expand(args, function).map(Target::Function),
        },
        Target::Module(module) => module::spread(args, module).map(Target::Module),
    }
}
