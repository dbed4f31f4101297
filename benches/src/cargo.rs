//! Runs cargo in an environment without variables that would change the result.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::Result;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the benchmarks are in the workspace").to_owned()
}

/// The directory for everything that the benchmarks build or download.
pub(crate) fn work() -> PathBuf {
    // cargo resolves a relative path from its working directory, which is ours too.
    let target = std::env::var_os("CARGO_TARGET_DIR").and_then(|dir| std::path::absolute(dir).ok());
    target.unwrap_or_else(|| root().join("target")).join("benches")
}

/// `cargo` of the toolchain that built this program.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    clean(&mut cargo);
    cargo
}

/// `cargo` of the nightly toolchain.
pub(crate) fn nightly_cargo() -> Command {
    let mut cargo = Command::new("rustup");
    clean(&mut cargo);
    // The cargo that runs this program sets these. They would select its own toolchain again.
    for variable in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        cargo.env_remove(variable);
    }
    cargo.args(["run", "nightly", "cargo"]);
    cargo
}

/// Removes variables that change builds and checks from a command's environment.
pub(crate) fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("LEAK_")
            || text.starts_with("CARGO_PROFILE_")
            || text.ends_with("RUSTFLAGS")
        {
            command.env_remove(name);
        }
    }
    command.env("RUST_BACKTRACE", "0").env("CARGO_INCREMENTAL", "0").env_remove("CARGO_TARGET_DIR");
}

/// Runs a command and returns its stdout, or an error if it fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = finish(command)?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        // libtest prints errors to stdout.
        let printed = if output.stderr.is_empty() { output.stdout } else { output.stderr };
        Err(format!("`{}` failed:\n{}", line(command), String::from_utf8_lossy(&printed)))
    }
}

/// Runs a command to its end, whatever its exit status.
pub(crate) fn finish(command: &mut Command) -> Result<Output> {
    command.output().map_err(|error| format!("failed to run `{}`: {error}", line(command)))
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
