//! Runs the tests with `cargo test` or nextest.

pub(crate) mod cargo_test;
pub(crate) mod nextest;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};
use crate::target_runner::Invocation;

/// What either runner runs.
#[derive(Debug)]
pub(crate) struct Plan {
    /// cargo's own flags, without `--config`.
    pub(crate) flags: Vec<String>,
    /// The values of `--config` that decide what is built.
    pub(crate) config: Vec<String>,
    /// The arguments of the test programs.
    pub(crate) libtest: Vec<String>,
    /// Variables for the tests.
    pub(crate) variables: BTreeMap<String, OsString>,
    pub(crate) verbose: bool,
}

/// The output of cargo and the tests, in a file. It is only shown; nothing is decided by it.
#[derive(Debug)]
pub(crate) struct Output {
    path: PathBuf,
    /// How many bytes were shown.
    shown: usize,
}

/// The `cargo` that called this command.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

impl Plan {
    /// The flags of a build.
    fn build(&self, command: &mut Command) {
        command.args(&self.flags);
        for value in &self.config {
            command.arg("--config").arg(value);
        }
    }

    /// The flags of a run whose programs are started by this command.
    fn run(&self, command: &mut Command, invocation: &Invocation) {
        command.args(&self.flags);
        invocation.apply(command);
        command.envs(&self.variables);
    }
}

impl Output {
    /// A file in the directory of a run, and two handles to write to.
    fn make(directory: &Path) -> Result<(Self, File, File)> {
        let path = directory.join("output");
        let cannot = |error| Error::file("written", &path, error);
        let out = File::options().create(true).append(true).open(&path).map_err(cannot)?;
        let also = out.try_clone().map_err(cannot)?;
        Ok((Self { path, shown: 0 }, out, also))
    }

    /// Shows the output that was not shown yet.
    fn show(&mut self) {
        let all = self.read();
        let new = all.as_bytes().get(self.shown..).unwrap_or_default();
        _ = std::io::stderr().write_all(new);
        self.shown = all.len();
    }

    fn read(&self) -> String {
        let bytes = fs::read(&self.path).unwrap_or_default();
        // The command gives libtest this option, not the user, so its warning is removed.
        String::from_utf8_lossy(&bytes).replace("warning: `--logfile` is deprecated", "")
    }
}
