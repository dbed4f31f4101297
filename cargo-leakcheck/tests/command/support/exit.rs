//! The exit codes of the command, as documented.

pub(crate) const CLEAN: i32 = 0;
pub(crate) const LEAKS: i32 = 1;
pub(crate) const USAGE: i32 = 2;
pub(crate) const TESTS_FAILED: i32 = 3;
pub(crate) const BUILD_FAILED: i32 = 4;
pub(crate) const BLIND: i32 = 5;
pub(crate) const NOTHING_CHECKED: i32 = 6;
pub(crate) const INCOMPLETE: i32 = 7;
pub(crate) const UNUSABLE: i32 = 8;
pub(crate) const STALE_BASELINE: i32 = 9;
