//! Calls of cargo, free of what the surroundings would change in them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::Result;

/// The folder of the project.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the benchmarks are in the project").to_owned()
}

/// Where everything goes that is built or brought here.
pub(crate) fn work() -> PathBuf {
    // A relative path is relative to where cargo was called, which is where we still are.
    let target = std::env::var_os("CARGO_TARGET_DIR").and_then(|dir| std::path::absolute(dir).ok());
    target.unwrap_or_else(|| root().join("target")).join("benches")
}

/// A cargo of the toolchain that built this program.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    clean(&mut cargo);
    cargo
}

/// A cargo of the nightly toolchain.
pub(crate) fn nightly_cargo() -> Command {
    let mut cargo = Command::new("rustup");
    clean(&mut cargo);
    // Set by the cargo that runs us, they would choose its toolchain again.
    for variable in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        cargo.env_remove(variable);
    }
    cargo.args(["run", "nightly", "cargo"]);
    cargo
}

/// Takes out of a command's environment what changes builds and checks.
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

/// What a command printed on its standard output, if it succeeded.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = finish(command)?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        // libtest says on its standard output what went wrong.
        let said = if output.stderr.is_empty() { output.stdout } else { output.stderr };
        Err(format!("`{}` failed:\n{}", line(command), String::from_utf8_lossy(&said)))
    }
}

/// How a command ended.
pub(crate) fn finish(command: &mut Command) -> Result<Output> {
    command.output().map_err(|error| format!("`{}` does not run: {error}", line(command)))
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
