//! `cargo xtask corpus`: runs the tests of `tests/corpus`, and holds each against the table.

pub(crate) mod cases;
#[cfg(test)]
mod tests;

use crate::{Outcome, root};
use cases::{CASES, Case, Expected, Test, Variant};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Instant;

pub(crate) fn run(args: &[String]) -> Outcome {
    let (mut passed, mut failed) = (0, 0);
    for case in select(args)? {
        for &variant in case.variants() {
            for test in [Test::Once, Test::Repeated] {
                if report(case, variant, test)? {
                    passed += 1;
                } else {
                    failed += 1;
                }
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
    let named = named(&names)?;
    Ok(named.into_iter().filter(|case| flags.is_empty() || case.ci).collect())
}

/// The cases of these names, or all where there are none, in the order of the table.
pub(crate) fn named(names: &[&str]) -> Result<Vec<&'static Case>, String> {
    if let Some(name) = names.iter().find(|&&name| CASES.iter().all(|case| case.name != name)) {
        let known: Vec<&str> = CASES.iter().map(|case| case.name).collect();
        return Err(format!("unknown case `{name}`; there are:\n  {}", known.join("\n  ")));
    }
    let wanted = |case: &&Case| names.is_empty() || names.contains(&case.name);
    Ok(CASES.iter().filter(wanted).collect())
}

/// Runs one test, says in a line how it went, and returns whether it went as expected.
fn report(case: &Case, variant: Variant, test: Test) -> Outcome {
    // The name first and the rest later, so that a test that hangs is known by name.
    print!("{:<28}{:<7}{:<10}", case.name, variant.name(), test.name());
    std::io::stdout().flush().map_err(|e| e.to_string())?;

    let start = Instant::now();
    let output = run_test(case, variant, test)?;
    let seconds = start.elapsed().as_secs_f64();

    let stdout = String::from_utf8_lossy(&output.stdout);
    match judge(case.expected(variant, test), output.status.success(), &stdout) {
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

fn run_test(case: &Case, variant: Variant, test: Test) -> Result<Output, String> {
    let mut cargo = cargo_test(case, variant);
    if let Expected::Leaks { holder: Some(_), .. } = case.expected(variant, test) {
        cargo.env("LEAK_HOLDERS", "on");
    }
    cargo.args(test.arguments()).output().map_err(|e| format!("cannot run cargo: {e}"))
}

/// `cargo test` in the package. All packages share a target folder, for the sake of what they
/// have in common.
pub(crate) fn cargo_test(case: &Case, variant: Variant) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["test", "-j2"]).current_dir(package(case, variant));
    set_up(&mut cargo);
    cargo
}

/// The folder of a variant's package.
pub(crate) fn package(case: &Case, variant: Variant) -> PathBuf {
    root().join("tests/corpus").join(case.name).join(variant.name())
}

/// The environment of what builds and runs the cases.
pub(crate) fn set_up(command: &mut Command) {
    command
        .env("CARGO_TARGET_DIR", target())
        .env("CARGO_INCREMENTAL", "0")
        // Types are named by all of it.
        .env("CARGO_PROFILE_DEV_DEBUG", "full")
        // Backtraces of the panics that some triggers make would fill the heap with debug info.
        .env("RUST_BACKTRACE", "0");
    // The limits are the tests' own.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LEAK_") {
            command.env_remove(name);
        }
    }
    // Who holds a leak is asked after the verdict, by another run; some ask for it at once.
    command.env("LEAK_HOLDERS", "off");
}

pub(crate) fn target() -> PathBuf {
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
        Expected::Leaks { krate, holder } => {
            let Some(headline) = stdout.lines().find(|line| is_headline(line)) else {
                return Err("should leak, but fails without saying so".to_owned());
            };
            let (_, frames) = stdout.split_once(headline).unwrap_or_default();
            if !frames.contains(&format!("{krate}::")) && !frames.contains("case::trigger") {
                return Err(format!("names neither `{krate}` nor `case::trigger`"));
            }
            match holder.filter(|holder| !on_one_line(frames).contains(holder)) {
                Some(holder) => Err(format!("does not say `{holder}`")),
                None => Ok("leaks"),
            }
        }
    }
}

/// The first line of a leak's report.
pub(crate) fn is_headline(line: &str) -> bool {
    let verbs = [" leaked ", " leaks ", " leaves "];
    line.contains("leakcheck: `") && verbs.iter().any(|verb| line.contains(verb))
}

/// Long lines of a report are broken.
fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
