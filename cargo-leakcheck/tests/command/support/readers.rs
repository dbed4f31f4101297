//! Third-party tools that read the reports of the command. `.ci/readers` downloads them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file that `.ci/readers` downloads. A test without it says that it is skipped.
pub(crate) fn reader(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../readers").join(name);
    if let Ok(path) = path.canonicalize() {
        return Some(path);
    }
    missing(name);
    None
}

/// A program of the system. A test without it says that it is skipped.
pub(crate) fn program(name: &'static str) -> Option<&'static str> {
    let mut command = Command::new(name);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    if command.status().is_ok_and(|status| status.success()) {
        return Some(name);
    }
    missing(name);
    None
}

fn missing(name: &str) {
    assert!(std::env::var_os("CI").is_none(), "CI has to run .ci/readers, which brings `{name}`");
    eprintln!(
        "skipped: `{name}` is not installed, so its format was not read; `.ci/readers` downloads it"
    );
}
