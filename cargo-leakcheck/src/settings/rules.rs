//! Rules that apply to tests by name, and suppressions.

use leakcheck_report::pattern::Glob;

use super::source::SettingSource;

/// Tests that are not checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Skip {
    pub(crate) tests: Glob,
    pub(crate) why: String,
    pub(crate) source: SettingSource,
}

/// A limit for tests by name. It applies to tests without a limit of their own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TestLimit {
    pub(crate) tests: Glob,
    pub(crate) bytes: u64,
    pub(crate) source: SettingSource,
}

/// A known leak that no verdict counts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Suppression {
    pub(crate) leak: String,
    pub(crate) why: String,
}

const MIB: f64 = 1_048_576.0;

/// MiB as bytes.
pub(super) fn mb_to_bytes(mb: f64) -> u64 {
    (mb * MIB).round() as u64
}

/// Bytes as MiB.
pub(super) fn bytes_to_mb(bytes: u64) -> f64 {
    bytes as f64 / MIB
}
