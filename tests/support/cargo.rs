//! Calls of cargo in the workspace of the fixtures.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use crate::fixture::{fixtures, forget, target};
use crate::{Finished, Folder};

/// A call that is about to be made, in a clean environment: passing tests are recorded, backtraces
/// are off, and variables of leakcheck, nextest and the profiles of this build are removed.
#[derive(Debug)]
#[must_use = "nothing runs before `go`"]
pub struct Cargo {
    command: Command,
    folder: Folder,
}

/// A finished call.
#[derive(Debug)]
pub struct Suite {
    /// Whether cargo succeeded.
    pub success: bool,
    /// The output and the reports of the tests.
    pub tests: Finished,
    /// The folder of the reports.
    pub folder: Folder,
}

impl Cargo {
    /// `cargo` of the toolchain that this program was built with.
    pub fn new() -> Self {
        Self::of(Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"))))
    }

    /// The target that rustc builds for by default.
    ///
    /// # Panics
    ///
    /// If rustc does not print its host.
    pub fn host() -> String {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
        let output = Command::new(rustc).arg("-vV").output().expect("rustc can be run");
        let text = String::from_utf8_lossy(&output.stdout);
        let host = text.lines().find_map(|line| line.strip_prefix("host: "));
        host.expect("rustc names its host").to_owned()
    }

    /// The workspace of the fixtures, where cargo is called.
    pub fn workspace() -> PathBuf {
        fixtures()
    }

    /// The target directory of the fixtures.
    pub fn target() -> PathBuf {
        target()
    }

    fn of(mut command: Command) -> Self {
        let folder = Folder::new();
        forget(
            &mut command,
            &["LEAK_", "NEXTEST", "CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_PROFILE_"],
        );
        forget(&mut command, &["CARGO_TARGET_TMPDIR", "RUST_TEST_"]);
        command
            .current_dir(fixtures())
            .env("CARGO_TARGET_DIR", target())
            .env("CARGO_TERM_COLOR", "never")
            .env("LEAK_RECORD", "on")
            .env("LEAK_HOLDERS", "off")
            .env("LEAK_REPORT_DIR", folder.path())
            .env("RUST_BACKTRACE", "0");
        Self { command, folder }
    }

    /// Adds arguments.
    pub fn args(mut self, args: &[&str]) -> Self {
        self.command.args(args);
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Removes a variable that is set by default.
    pub fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Makes the call.
    pub fn go(mut self) -> Suite {
        let output = self.command.output().expect("cargo can be run");
        let [stdout, stderr] = [output.stdout, output.stderr]
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(!stderr.contains("could not compile"), "{:?}:\n{stderr}", self.command);
        let tests = Finished::read(stdout, stderr, output.status.code(), self.folder.path());
        Suite { success: output.status.success(), tests, folder: self.folder }
    }
}

impl Default for Cargo {
    fn default() -> Self {
        Self::new()
    }
}
