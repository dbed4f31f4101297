//! The attribute macro of `leakcheck`. Use it through that crate, which re-exports it and contains the code that
//! the expansion calls.
//!
//! Stages: parse the arguments (`args`, `value`, `names`) and the item (`target`, `signature`), let other macros
//! expand first (`defer`), then wrap the function (`expand`) or pass the attribute on to the tests of a module
//! (`module`). After an error, `fallback` returns the item unchanged.

#![forbid(unsafe_code)]

mod args;
mod defer;
mod errors;
mod expand;
mod fallback;
mod module;
mod names;
mod signature;
mod target;
#[cfg(test)]
mod tests;
mod value;

use args::Args;
use errors::Errors;
use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Error, Result};
use target::Target;

/// Fails a test that leaks memory.
///
/// The attribute watches the body of the function and every thread that the body starts. If the memory that they
/// allocated and did not free exceeds a limit when the body ends, the test fails, and the report names the lines
/// that allocated it. A body that panics or returns `Err` fails as it would without the attribute, and leaks are
/// not judged.
///
/// ```no_run
/// # fn main() {}
/// use leakcheck::leak_check;
/// # use rstest::rstest;
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
/// fn imports(#[case] rows: usize) -> Result<(), std::io::Error> {
///     // …
/// #   _ = rows;
///     Ok(())
/// }
/// ```
///
/// # Arguments
///
/// All arguments are optional and written `name = value`. Arguments that end in `_mb` are in MiB (1,048,576 bytes).
///
/// | argument | meaning | default |
/// |---|---|---|
/// | `threshold_mb` | largest net growth that passes, in MiB: `5` or `0.5` | by kind: 1 (`unit`), 5 (`integration`), 10 (`long_running`) |
/// | `threshold_bytes` | the same limit in bytes; give only one of the two | |
/// | `threshold_blocks` | largest net growth that passes, in blocks | no limit |
/// | `peak_mb` | largest amount of memory that may be live at any moment, in MiB | no limit |
/// | `kind` | `"unit"`, `"integration"` or `"long_running"`: selects the default limit | `"integration"` for tests in `tests/`, otherwise `"unit"` |
/// | `scope` | `"test"` watches the threads of the test, `"process"` watches all threads of the process | `"test"`; under nextest `"process"` |
/// | `measure` | what the limits apply to: `"net"` is retained minus released memory, `"retained"` is all memory that the test allocated and did not free | `"net"` |
/// | `skip` | runs the body without a check; `skip = "why"` states the reason | not skipped |
/// | `iterations` | repeats the body and fails if memory grows in proportion to the number of iterations: `"auto"`, or the number of iterations after the warm-up | one iteration |
/// | `warmup` | number of iterations to run before the judged ones | 2 if the body is repeated |
/// | `settle_ms` | how long to wait for threads that are about to end, in milliseconds; a check that passes does not wait | 500 |
/// | `threads` | how many threads started by the test may still be running at its end | no limit |
/// | `fds` | how many file descriptors opened by the test may still be open at its end | no limit |
/// | `children` | how many child processes started by the test may be unreaped (running, or exited and not waited for) at its end | no limit |
/// | `c_heap_mb` | how far the C heap of the whole process may grow, in MiB; judged only where nothing else runs in the process, as with `scope = "process"` | no limit |
/// | `lost_bytes` | how many bytes may be lost: unreachable, or reachable only from a reference cycle | no limit |
/// | `top` | how many call sites the report prints; at least 1 | 10 |
/// | `crate` | the path to `leakcheck` if it is renamed or re-exported: `crate = my_reexports::leakcheck`. On a module, the path must also resolve inside it | `::leakcheck` |
///
/// A body can only be repeated if it does not consume its arguments: each must be a shared reference, a number, a
/// `bool` or a `char`. Otherwise `iterations` and `warmup` are compile errors.
///
/// # Placement
///
/// The attribute does not add `#[test]`. It works above or below `#[test]` and the macros of test frameworks: they
/// expand first, and the check wraps the finished test with its runtime and fixtures. `async`, arguments, return
/// types and `#[should_panic]` keep their meaning; a leak also fails a `#[should_panic]` test. A function that is
/// not a test is checked on every call. A function that returns a future without being `async` is rejected, because
/// the check would end before the future runs.
///
/// - Between the `#[case]`s of `rstest`, an attribute belongs to the next case only. Write this one above
///   `#[rstest]` or below the last case.
/// - `ntest::test_case` moves the attributes below it to a single case, and rejects attributes with a path, such as
///   this one after it has moved to the end of the list. Put the attribute on a function that the cases call.
/// - Outside `#[cfg(test)]`, write the attribute below `#[test]`. Otherwise builds without tests
///   look for `leakcheck`, which is only a dev-dependency.
///
/// # Modules
///
/// On an inline module, the attribute applies to every test function inside, at any depth. An attribute on a
/// function or an inner module takes precedence. Functions that are not tests are left unchanged.
///
/// ```no_run
/// # fn main() {}
/// # /*
/// #[cfg(test)]
/// # */
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
/// A function is recognized as a test by the name of one of its attributes (`test`, `rstest`, `test_case`, names
/// ending in `_test`, and a few more). Tests inside the braces of a macro, such as `proptest! { … }`, are not
/// visible to the attribute: put it on each of them. A module without recognized tests is a compile error.
#[proc_macro_attribute]
pub fn leak_check(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand_or_report(args.into(), item.into()).into()
}

fn expand_or_report(args: TokenStream, item: TokenStream) -> TokenStream {
    try_expand(args, item.clone()).unwrap_or_else(|error| fallback::item_with_errors(item, &error))
}

fn try_expand(args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut errors = Errors::default();
    let args = errors.handle(Args::parse(args));
    let target = errors.handle(syn::parse2(item).and_then(validate));
    errors.finish()?;
    match (args, target) {
        (Some(args), Some(mut target)) => {
            apply(&args, &mut target).map(|()| target.into_token_stream())
        }
        _ => unreachable!("a step without a value has recorded an error"),
    }
}

fn validate(mut target: Target) -> Result<Target> {
    let mut errors = Errors::default();
    if let Target::Function(function) = &target
        && let Some(token) = function.sig.qualifiers.constness
    {
        let message = "`#[leak_check]` cannot be applied to a `const fn`";
        errors.push(Error::new(token.span, message));
    }
    for attr in target.attrs().iter().filter(|attr| module::is_leak_check(attr.path())) {
        let message = "`#[leak_check]` is applied twice; remove one of the two";
        errors.push(Error::new_spanned(attr.path(), message));
    }
    errors.finish().map(|()| target)
}

fn apply(args: &Args, target: &mut Target) -> Result<()> {
    match target {
        Target::Module(module) => module::apply_to_tests(args, module),
        Target::Function(function) => match defer::pending_macros(args, function) {
            Some(pending) => {
                defer::move_to_end(args, function, pending);
                Ok(())
            }
            None if function.returns_a_future() => {
                let message = "a function that returns a future cannot be checked, because the check would end \
                               before the future runs; make it an `async fn`, or use `leakcheck::check_async` in it";
                Err(Error::new(function.sig.ident.span(), message))
            }
            None => expand::wrap_body(args, function),
        },
    }
}
