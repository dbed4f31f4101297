//! Runs the tests and hears how they end.

pub(crate) mod cargo_test;
pub(crate) mod nextest;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::Command;

use leakcheck_report::file::{self, Target};

use crate::model::Status;

/// How one test ended, as its runner says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed,
    Ignored,
}

/// A test that ran.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ran {
    /// As the folder of its report is called.
    pub(crate) target: String,
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
    pub(crate) seconds: Option<f64>,
}

/// What a runner came to.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) ran: Vec<Ran>,
    /// Processes that ended before their tests did.
    pub(crate) problems: Vec<String>,
    /// Whether the runner was content.
    pub(crate) success: bool,
    /// How many tests failed that cannot be named.
    pub(crate) unnamed_failures: usize,
    /// All that it said.
    pub(crate) output: String,
}

/// What is run, by whichever runner.
#[derive(Debug)]
pub(crate) struct Plan {
    /// cargo's own flags.
    pub(crate) flags: Vec<String>,
    /// What libtest is told.
    pub(crate) libtest: Vec<String>,
    /// Variables for the tests.
    pub(crate) variables: BTreeMap<String, OsString>,
    pub(crate) verbose: bool,
}

/// `cargo` as the one that called this command.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

impl Outcome {
    /// What becomes of a test that no report tells of.
    pub(crate) fn without_report(self) -> Status {
        match self {
            Self::Passed => Status::Unchecked,
            Self::Failed => Status::Failed,
            Self::Ignored => Status::Ignored,
        }
    }
}

/// The folder of a target's reports.
pub(crate) fn folder(package: &str, kind: &str, target: &str) -> String {
    let target = match kind {
        "test" => Target::Integration(target),
        "bin" => Target::Binary(target),
        _ => Target::Library,
    };
    file::folder(package, target)
}
