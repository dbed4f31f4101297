//! Compile errors of the attribute, and uses of it that compile without warnings.
//!
//! The expected messages are those of one toolchain. `TRYBUILD=overwrite` in the environment updates them.

use std::io::{Write, stderr};
use std::process::Command;

/// Also part of this program, so that clippy checks it.
#[path = "ui/pass/strict_lints.rs"]
mod strict_lints;

/// The Rust version whose messages are in `ui/*.stderr`.
const BLESSED: &str = "1.95";

#[test]
fn errors_point_to_the_smallest_span() {
    if is_blessed() {
        trybuild::TestCases::new().compile_fail("ui/*.rs");
    }
}

#[test]
fn correct_uses_compile_without_warnings() {
    trybuild::TestCases::new().pass("ui/pass/*.rs");
}

#[test]
fn code_under_strict_lints_runs_in_a_test_program() {
    strict_lints::main();
}

fn is_blessed() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().expect("failed to run rustc");
    let version = String::from_utf8_lossy(&output.stdout).into_owned();
    let is_blessed = version.starts_with(&format!("rustc {BLESSED}."));
    if !is_blessed {
        // `eprintln!` would be captured by libtest, which does not show the output of a passing test.
        let skipped = format!(
            "ui: skipped: the expected messages are those of rustc {BLESSED}, found {version}"
        );
        stderr().write_all(skipped.as_bytes()).expect("stderr is writable");
    }
    is_blessed
}
