//! `cargo xtask corpus`: runs the tests of `tests/corpus`, and holds each against the table.

mod cases;
#[cfg(test)]
mod tests;

use crate::{Outcome, root};
use cases::{CASES, Case, Expected, Variant};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Instant;

pub(crate) fn run(args: &[String]) -> Outcome {
    let (mut passed, mut failed) = (0, 0);
    for case in select(args)? {
        for &variant in case.variants() {
            if report(case, variant)? {
                passed += 1;
            } else {
                failed += 1;
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
}

/// The cases that the arguments ask for, in the order of the table.
fn select(args: &[String]) -> Result<Vec<&'static Case>, String> {
    let (flags, names): (Vec<&str>, Vec<&str>) =
        args.iter().map(String::as_str).partition(|arg| arg.starts_with('-'));
    if let Some(flag) = flags.iter().find(|&&flag| flag != "--ci") {
        return Err(format!("`corpus` has no `{flag}`; it has `--ci`"));
    }
    if !flags.is_empty() && !names.is_empty() {
        return Err("`--ci` chooses the cases itself: leave out either it or the names".to_owned());
    }
    if let Some(name) = names.iter().find(|&&name| CASES.iter().all(|case| case.name != name)) {
        let known: Vec<&str> = CASES.iter().map(|case| case.name).collect();
        return Err(format!("unknown case `{name}`; there are:\n  {}", known.join("\n  ")));
    }
    let wanted = |case: &&Case| {
        if flags.is_empty() { names.is_empty() || names.contains(&case.name) } else { case.ci }
    };
    Ok(CASES.iter().filter(wanted).collect())
}

/// Runs one package, says in a line how it went, and returns whether it went as expected.
fn report(case: &Case, variant: Variant) -> Outcome {
    // The name first and the rest later, so that a test that hangs is known by name.
    print!("{:<28}{:<7}", case.name, variant.name());
    std::io::stdout().flush().map_err(|e| e.to_string())?;

    let start = Instant::now();
    let output = test(case, variant)?;
    let seconds = start.elapsed().as_secs_f64();

    let stdout = String::from_utf8_lossy(&output.stdout);
    match judge(case.expected(variant), output.status.success(), &stdout) {
        Ok(said) => {
            println!("ok      {seconds:>6.1} s  {said}");
            Ok(true)
        }
        Err(why) => {
            println!("FAILED  {seconds:>6.1} s  {why}");
            let stderr = String::from_utf8_lossy(&output.stderr);
            for line in tail(&stderr).chain(tail(&stdout)) {
                println!("    {line}");
            }
            Ok(false)
        }
    }
}

/// The last lines: triggers may print thousands, and what counts comes after them.
fn tail(text: &str) -> impl Iterator<Item = &str> {
    text.lines().skip(text.lines().count().saturating_sub(60))
}

/// `cargo test` in the package. All packages share a target folder, for the sake of what they
/// have in common.
fn test(case: &Case, variant: Variant) -> Result<Output, String> {
    let package = root().join("tests/corpus").join(case.name).join(variant.name());
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["test", "-j2"])
        .current_dir(&package)
        .env("CARGO_TARGET_DIR", target())
        .env("CARGO_INCREMENTAL", "0")
        // Enough to name lines, and quicker to build.
        .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
        // Backtraces of the panics that some triggers make would fill the heap with debug info.
        .env("RUST_BACKTRACE", "0");
    // The limits are the tests' own.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LEAK_") {
            cargo.env_remove(name);
        }
    }
    cargo.output().map_err(|e| format!("cannot run cargo in `{}`: {e}", package.display()))
}

fn target() -> PathBuf {
    // A relative path is relative to where cargo was called, which is where we still are.
    let shared = std::env::var_os("CARGO_TARGET_DIR").and_then(|dir| std::path::absolute(dir).ok());
    shared.unwrap_or_else(|| root().join("target")).join("corpus")
}

/// Holds what a test run did against what it should do; either way in words.
fn judge(expected: Expected, success: bool, stdout: &str) -> Result<&'static str, String> {
    match expected {
        Expected::Passes if !success => Err("should pass".to_owned()),
        // A test that was never run passes as well.
        Expected::Passes if !stdout.contains("1 passed") => Err("ran no test".to_owned()),
        Expected::Passes => Ok("passes"),
        Expected::Leaks { .. } if success => Err("should leak, but passes".to_owned()),
        Expected::Leaks { krate } => {
            let Some(headline) = stdout.lines().find(|line| is_headline(line)) else {
                return Err("should leak, but fails without saying so".to_owned());
            };
            let (_, frames) = stdout.split_once(headline).unwrap_or_default();
            if !frames.contains(&format!("{krate}::")) && !frames.contains("case::trigger") {
                return Err(format!("names neither `{krate}` nor `case::trigger`"));
            }
            Ok("leaks")
        }
    }
}

/// The first line of a leak's report.
fn is_headline(line: &str) -> bool {
    line.contains("leakcheck: ") && line.contains(" leaked ")
}
