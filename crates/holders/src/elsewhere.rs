//! Stands in for this crate on targets where holders cannot be found.

use leakcheck_ledger::SiteId;
use leakcheck_report::Holder;

use crate::Query;

/// Whether this build can find holders.
pub const CAN_EXPLAIN: bool = false;

/// Does nothing, because no stack is scanned.
pub fn clear_dead() {}

/// Contains nothing, because no stack is scanned.
#[derive(Debug, Default)]
pub struct StackSnapshot {}

impl StackSnapshot {
    pub fn of_ended_thread() -> Self {
        Self {}
    }

    pub fn from(_stack_pointer: usize) -> Self {
        Self {}
    }
}

/// Returns no address, because no stack is scanned.
pub fn stack_pointer() -> usize {
    0
}

/// Contains nothing, because no register is scanned.
#[derive(Debug)]
pub struct SavedRegisters {}

impl SavedRegisters {
    pub fn now() -> Self {
        Self {}
    }
}

/// Finds no holders.
///
/// # Errors
///
/// Always fails.
pub fn explain(_: &Query<'_>) -> Result<Vec<(SiteId, Holder)>, String> {
    Err("reference paths are found on Linux with glibc only".to_owned())
}
