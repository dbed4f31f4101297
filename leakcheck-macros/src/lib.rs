//! The attribute of `leakcheck`. Use it through that crate, which re-exports it and has the code that it calls.
//!
//! Parse (`args`, `value`, `names`) → model (`target`) → who goes first (`defer`) → `expand`, or `module` for a
//! module; `fallback` after a mistake.

#![forbid(unsafe_code)]

mod args;
mod defer;
mod expand;
mod fallback;
mod mistakes;
mod module;
mod names;
mod target;
#[cfg(test)]
mod tests;
mod value;

use args::Args;
use mistakes::Mistakes;
use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Error, Result};
use target::Target;

/// Fails a test that leaves memory behind.
///
/// The body of the function runs under a check. What it, and every thread that it starts, allocated and did not
/// free by its end is held against a limit; above it the test fails, and the report names the lines that
/// allocated. A body that panics or returns `Err` fails as itself, and is not judged.
///
/// ```ignore
/// use leakcheck::leak_check;
///
/// #[leak_check]
/// #[test]
/// fn evicts() { /* … */ }
///
/// #[leak_check(threshold_mb = 5)]
/// #[tokio::test]
/// async fn serves_a_thousand_requests() { /* … */ }
///
/// #[leak_check(kind = "integration", peak_mb = 64, threads = 0)]
/// #[rstest]
/// #[case(1)]
/// #[case(1_000)]
/// fn imports(#[case] rows: usize) -> Result<(), Error> { /* … */ }
/// ```
///
/// # Arguments
///
/// All are optional, and written `name = value`. 1 MB is 1,048,576 bytes.
///
/// | argument | value | default |
/// |---|---|---|
/// | `threshold_mb` | the most net growth that passes, in MB: `5` or `0.5` | by kind: 1 (`unit`), 5 (`integration`), 10 (`long_running`) |
/// | `threshold_bytes` | the same limit in bytes; give one of the two | |
/// | `threshold_blocks` | the most blocks that may be left behind | no limit |
/// | `peak_mb` | the most memory in use at any moment, in MB | no limit |
/// | `kind` | `"unit"`, `"integration"` or `"long_running"`: picks the default limit | `"integration"` for tests in `tests/`, else `"unit"` |
/// | `scope` | `"test"` counts what the test's threads allocate, `"process"` everything in the process | `"test"`; under nextest `"process"` |
/// | `measure` | what the limit is held against: `"net"` is retained less released memory, `"retained"` what the test allocated and left behind | `"net"` |
/// | `skip` | runs the body without a check; `skip = "why"` tells the reader | checked |
/// | `iterations` | repeats the body and fails on what keeps pace with the calls: `"auto"`, or a number of calls after the warm-up | one call |
/// | `warmup` | how many calls go before those that are judged | 2 where the body is repeated |
/// | `settle_ms` | how long to wait for threads that are just finishing, in milliseconds; only a check that would fail waits | 500 |
/// | `threads` | how many threads that the test started may still run at its end | any number |
/// | `fds` | how many file descriptors that the test opened may still be open at its end | any number |
/// | `children` | how many child processes that the test started may not have been waited for at its end | any number |
/// | `c_heap_mb` | the most megabytes by which the C heap of the whole process may have grown; only with `scope = "process"` | any number |
/// | `lost_bytes` | the most bytes that nothing may hold any more: forgotten, or kept by a cycle of reference counts | any number |
/// | `top` | how many call sites the report prints, at least 1 | 10 |
/// | `crate` | the path to `leakcheck` where it is renamed or re-exported: `crate = my_reexports::leakcheck`. Written on a module, it has to be right inside the module too | `::leakcheck` |
///
/// A body that is repeated cannot use up an argument: shared references and plain numbers stay usable, and
/// anything else is refused.
///
/// # Placement
///
/// The attribute never adds `#[test]`, and stands above or below it, and above or below the macros of test
/// frameworks: those have their turn first, and the check wraps the finished test with its runtime and its
/// fixtures. `async`, arguments, return types and `#[should_panic]` keep their meaning; a leak fails a
/// `#[should_panic]` test too. A function that is not a test is checked at every call; one that returns a future
/// without being `async` is refused, because the check would be over before the future runs.
///
/// - Between the `#[case]`s of `rstest` an attribute belongs to the next case only. Write this one above
///   `#[rstest]` or below the last case.
/// - `ntest::test_case` hands the attributes below it to one case, and accepts none with a path, as this one has
///   once it has stepped back. Put the attribute on a function that the cases call.
/// - Outside of `#[cfg(test)]` write it below `#[test]`, so that a build without tests does not look for a
///   dev-dependency.
///
/// # Modules
///
/// On an inline module it applies to every test function inside, however deep; the attribute that a function or
/// an inner module has of its own wins. Functions that are not tests are left alone.
///
/// ```ignore
/// #[cfg(test)]
/// #[leakcheck::leak_check(threshold_mb = 0.1)]
/// mod tests {
///     #[test]
///     fn checked() { /* … */ }
///
///     #[test]
///     #[leakcheck::leak_check(skip = "loads the dictionary")]
///     fn not_checked() { /* … */ }
/// }
/// ```
///
/// It sees functions with an attribute that is named like a test (`test`, `rstest`, `test_case`, `…_test` and the
/// like). It does not see tests inside of a macro's braces (`proptest! { … }`): give those the attribute one by
/// one. A module in which it sees no test is an error.
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
        (Some(args), Some(mut target)) => {
            apply(&args, &mut target).map(|()| target.into_token_stream())
        }
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

fn apply(args: &Args, target: &mut Target) -> Result<()> {
    match target {
        Target::Module(module) => module::spread(args, module),
        Target::Function(function) => match defer::pending(args, function) {
            Some(macros) => {
                defer::defer(args, function, macros);
                Ok(())
            }
            None if function.returns_a_future() => {
                let message = "a function that returns a future cannot be checked: the check would \
                               be over before the future runs; use `leakcheck::check_async` inside";
                Err(Error::new(function.sig.ident.span(), message))
            }
            None => expand::expand(args, function),
        },
    }
}
