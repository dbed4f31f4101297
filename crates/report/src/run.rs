//! The record of a test program that was started: what it ran, and how it ended. The command writes
//! it as cargo's target runner, and decides by it.

use serde::{Deserialize, Serialize};

use crate::journal::Unwritten;

/// A test program that was started once: what it was to run, and how it ended.
///
/// It is written when the program starts and again when it has ended, so a record without an
/// [`end`](Self::end) belongs to a program whose target runner was killed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The folder of its target's reports: `app`, `app/tests/api` or `app/doc`.
    pub target: String,
    /// The executable.
    pub path: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Milliseconds since 1970.
    pub started_ms: u64,
    /// Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<u64>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
    /// What runs its tests.
    pub harness: Harness,
    /// The tests that libtest was asked to run, where the harness is libtest and could list them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<Vec<Test>>,
    /// The tests that were running when the program ended, and the checks outside of tests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub running: Vec<String>,
    /// Reports that the program could not write.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unwritten: Vec<Unwritten>,
    /// Whether `check_all!` is in the program.
    #[serde(default)]
    pub checks_all: bool,
}

/// What runs the tests of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Harness {
    /// The standard one.
    Libtest,
    /// A target with `harness = false`.
    Custom,
    /// Built by rustdoc, from one or several examples in the documentation.
    #[default]
    Doctest,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// By itself.
    ExitCode(i32),
    /// By a signal.
    Signal(i32),
    /// It could not be started.
    NotStarted(String),
}

/// A test that libtest was asked to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Test {
    /// Its name, as libtest has it.
    pub name: String,
    /// None where libtest has not reported the test's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// How a test ended, as its harness reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
    /// It was not run, because of `#[ignore]`.
    Ignored,
}
