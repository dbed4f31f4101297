//! What the attribute expands to. It is not part of the public API and may change at any time.

use std::future::Future;
use std::panic::Location;

#[cfg(asm_hot_path)]
pub use leakcheck_ledger::alloc::Installed;

use crate::check as checks;
use crate::options::Options;
pub use crate::origin::Origin;
use crate::outcome::Outcome;

/// The allocator that the feature `install` declares.
#[cfg(not(asm_hot_path))]
pub type Installed = crate::Alloc;
#[cfg(not(asm_hot_path))]
pub const INSTALLED: Installed = crate::Alloc::system();
#[cfg(asm_hot_path)]
pub const INSTALLED: Installed = Installed;

/// The origin of the function with the attribute.
#[doc(hidden)]
#[macro_export]
macro_rules! __origin {
    ($function:expr) => {
        $crate::__private::Origin::of_function(::core::module_path!(), $function).in_target(
            ::core::option_env!("CARGO_PKG_NAME"),
            ::core::option_env!("CARGO_BIN_NAME"),
            ::core::option_env!("CARGO_TARGET_TMPDIR").is_some(),
        )
    };
}

pub use crate::__origin as origin;

/// The names of interposed functions whose real ones were not resolved before `main`.
#[cfg(interposed)]
pub fn unresolved_hooks() -> Vec<&'static std::ffi::CStr> {
    crate::hooks::unresolved().collect()
}

#[cfg(not(interposed))]
pub fn unresolved_hooks() -> Vec<&'static std::ffi::CStr> {
    Vec::new()
}

/// Whether a function is one that the compiler makes a test of, by its type.
pub fn is_test<T: IsTest>(_: fn() -> T) -> bool {
    T::IS_TEST
}

/// The type that a [probe](without_libtest::probe) returns.
pub trait IsTest {
    /// Whether the probe is a test.
    const IS_TEST: bool;
}

impl IsTest for () {
    const IS_TEST: bool = true;
}

/// What `check_all!` uses in place of a test where the compiler makes none.
pub mod without_libtest {
    /// The program has another harness.
    #[derive(Debug)]
    pub struct NoTest;

    impl super::IsTest for NoTest {
        const IS_TEST: bool = false;
    }

    /// Stands in for a test of this name.
    pub fn probe() -> NoTest {
        NoTest
    }
}

/// Called by the expansion of `check_all!`.
#[cfg(interposed)]
pub use crate::suite::{check_all, program_ends};

#[track_caller]
pub fn options(origin: Origin) -> Options {
    Options::for_test(origin.at(Location::caller()))
}

#[track_caller]
pub fn check<T>(options: Options, body: impl FnOnce() -> T, failed: impl FnOnce(&T) -> bool) -> T {
    checks::check_with(options, body, failed)
}

#[track_caller]
pub fn check_should_panic(options: Options, expected: Option<&'static str>, body: impl FnOnce()) {
    checks::check_should_panic(options, expected, body);
}

pub async fn check_async<T>(
    options: Options,
    body: impl Future<Output = T>,
    failed: impl FnOnce(&T) -> bool,
) -> T {
    checks::check_async_with(options, body, failed).await
}

#[track_caller]
pub fn check_repeatable<T>(
    options: Options,
    body: impl FnMut() -> T,
    failed: impl Fn(&T) -> bool,
) -> T {
    checks::repeated::check_repeatable_with(options, body, failed)
}

#[track_caller]
pub fn check_repeatable_should_panic(
    options: Options,
    expected: Option<&'static str>,
    body: impl FnMut(),
) {
    checks::repeated::check_repeatable_should_panic(options, expected, body);
}

pub async fn check_async_repeatable<T, F: Future<Output = T>>(
    options: Options,
    body: impl FnMut() -> F,
    failed: impl Fn(&T) -> bool,
) -> T {
    checks::repeated::check_async_repeatable_with(options, body, failed).await
}

/// Whether a value of any type is a failure. Method resolution finds the method of an [`Outcome`]
/// first, and for other types the fallback, which needs one more reference.
#[derive(Debug)]
pub struct Probe<'a, T>(pub &'a T);

pub trait FailedOutcome {
    fn failed(&self) -> bool;
}

impl<T: Outcome> FailedOutcome for Probe<'_, T> {
    fn failed(&self) -> bool {
        self.0.is_failure()
    }
}

pub trait FailedAny {
    fn failed(&self) -> bool;
}

impl<T> FailedAny for &Probe<'_, T> {
    fn failed(&self) -> bool {
        false
    }
}
