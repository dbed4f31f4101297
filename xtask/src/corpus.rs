//! `cargo xtask corpus`: runs the tests of `tests/corpus`, and compares their results with the table.

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

/// The cases that the arguments select, in the order of the table.
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

/// The cases with these names, or all if there are none, in the order of the table.
pub(crate) fn named(names: &[&str]) -> Result<Vec<&'static Case>, String> {
    if let Some(name) = names.iter().find(|&&name| CASES.iter().all(|case| case.name != name)) {
        let known: Vec<&str> = CASES.iter().map(|case| case.name).collect();
        return Err(format!("unknown case `{name}`; there are:\n  {}", known.join("\n  ")));
    }
    let wanted = |case: &&Case| names.is_empty() || names.contains(&case.name);
    Ok(CASES.iter().filter(wanted).collect())
}

/// Runs one test, prints its result in one line, and returns whether it is the expected one.
fn report(case: &Case, variant: Variant, test: Test) -> Outcome {
    // Print the name before the result, so that a test that hangs can be identified.
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

/// The last lines: triggers may print thousands before the relevant ones.
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

/// `cargo test` in the package. All packages share a target directory, because they share
/// dependencies.
pub(crate) fn cargo_test(case: &Case, variant: Variant) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["test", "-j2"]).current_dir(package(case, variant));
    set_up(&mut cargo);
    cargo
}

/// The directory of a variant's package.
pub(crate) fn package(case: &Case, variant: Variant) -> PathBuf {
    root().join("tests/corpus").join(case.name).join(variant.name())
}

/// The environment in which cases are built and run.
pub(crate) fn set_up(command: &mut Command) {
    command
        .env("CARGO_TARGET_DIR", target())
        .env("CARGO_INCREMENTAL", "0")
        // The names of types need full debug information.
        .env("CARGO_PROFILE_DEV_DEBUG", "full")
        // Some triggers panic. Their backtraces would fill the heap with debug information.
        .env("RUST_BACKTRACE", "0");
    // The tests set their own limits.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LEAK_") {
            command.env_remove(name);
        }
    }
    // Only some tests look for reference paths.
    command.env("LEAK_HOLDERS", "off");
}

pub(crate) fn target() -> PathBuf {
    // cargo resolves a relative path from its working directory, which is ours too.
    let shared = std::env::var_os("CARGO_TARGET_DIR").and_then(|dir| std::path::absolute(dir).ok());
    shared.unwrap_or_else(|| root().join("target")).join("corpus")
}

/// Compares a test run with its expected result. Both outcomes are described in words.
fn judge(expected: Expected, success: bool, stdout: &str) -> Result<&'static str, String> {
    match expected {
        Expected::Passes if !success => Err("should pass".to_owned()),
        // A test that never ran passes too.
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

/// The first line of the report on a leak.
pub(crate) fn is_headline(line: &str) -> bool {
    let verbs = [" leaked ", " leaks ", " leaves "];
    line.contains("leakcheck: `") && verbs.iter().any(|verb| line.contains(verb))
}

/// Joins wrapped lines of a report.
fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
