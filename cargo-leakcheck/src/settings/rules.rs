//! Rules for tests by their names, and limits by their kinds.

use leakcheck_report::Kind;

use leakcheck_report::pattern::Glob;

/// Tests that are not checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Skip {
    pub(crate) tests: Glob,
    pub(crate) why: String,
    pub(crate) source: String,
}

/// A limit for some tests that have none of their own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TestLimit {
    pub(crate) tests: Glob,
    pub(crate) bytes: u64,
    pub(crate) source: String,
}

/// A known leak, left out of every verdict.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Suppression {
    pub(crate) leak: String,
    pub(crate) why: String,
}

/// The kinds of tests: their names, variables and default limits in MiB.
pub(crate) const KINDS: [(Kind, &str, &str, f64); 3] = [
    (Kind::Unit, "unit", "LEAK_THRESHOLD_MB_UNIT", 1.0),
    (Kind::Integration, "integration", "LEAK_THRESHOLD_MB_INTEGRATION", 5.0),
    (Kind::LongRunning, "long_running", "LEAK_THRESHOLD_MB_LONG_RUNNING", 10.0),
];

/// MiB as bytes.
pub(crate) fn mb_to_bytes(mb: f64) -> u64 {
    (mb * 1_048_576.0).round() as u64
}
