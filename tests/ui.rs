//! What the compiler says of mistakes, and what it has no word to say of.
//!
//! The messages are those of one toolchain. With `TRYBUILD=overwrite` in the environment they are
//! written anew.

use std::io::{Write, stderr};
use std::process::Command;

/// A part of this program too, so that clippy reads it.
#[path = "ui/pass/strict_lints.rs"]
mod strict_lints;

/// The toolchain whose messages are in `ui/*.stderr`.
const BLESSED: &str = "1.95";

#[test]
fn mistakes_are_told_at_their_place() {
    if is_blessed() {
        trybuild::TestCases::new().compile_fail("ui/*.rs");
    }
}

#[test]
fn what_is_right_compiles_without_a_word() {
    trybuild::TestCases::new().pass("ui/pass/*.rs");
}

#[test]
fn what_is_right_runs_in_a_test_program() {
    strict_lints::main();
}

fn is_blessed() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().expect("rustc can be run");
    let version = String::from_utf8_lossy(&output.stdout).into_owned();
    let is_blessed = version.starts_with(&format!("rustc {BLESSED}."));
    if !is_blessed {
        // Past libtest, which keeps the output of a test that passes to itself.
        let skipped =
            format!("ui: skipped, the messages are those of rustc {BLESSED}, this is {version}");
        stderr().write_all(skipped.as_bytes()).expect("stderr takes it");
    }
    is_blessed
}
