//! The journal of a test process: one line of JSON when a check begins and when it ends, so that a
//! process that is killed leaves behind which checks were open.

use serde::Serialize;

/// The variable with the journal's path. The target runner sets it.
pub const VARIABLE: &str = "LEAKCHECK_JOURNAL";

/// One line of the journal that a test process keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
pub struct Line {
    /// The process that wrote it: child processes of a test inherit the journal.
    pub process: u32,
    /// What happened.
    pub event: Event,
}

/// What a test process notes in its journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// `check_all!` checks every test of the program.
    ChecksAll,
    /// A check has begun. A check of `check_all!` learns its test's name later.
    Began {
        /// Its number in the process.
        check: u64,
        /// Its name, if that is known.
        name: Option<String>,
    },
    /// A check has ended, with or without a verdict.
    Ended {
        /// Its number in the process.
        check: u64,
    },
    /// A report could not be written.
    Unwritten(Unwritten),
}

/// A report that could not be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
pub struct Unwritten {
    /// The name of its check.
    pub check: String,
    /// Why.
    pub error: String,
}
