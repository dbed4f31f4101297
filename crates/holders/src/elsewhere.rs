//! Where leakcheck cannot explain what keeps blocks alive.

use leakcheck_ledger::SiteId;
use leakcheck_report::Holder;

use crate::Query;

/// Whether this build can explain what keeps blocks alive.
pub const CAN_EXPLAIN: bool = false;

/// Whether it can be explained in this process.
pub fn can_explain() -> bool {
    false
}

/// Nothing is left on a stack that anybody would look at.
pub fn clear_dead() {}

/// Nothing of the stack.
#[derive(Debug, Default)]
pub struct StackSnapshot {}

impl StackSnapshot {
    pub fn now() -> Self {
        Self {}
    }
}

/// Finds nothing.
///
/// # Errors
///
/// Always.
pub fn explain(_: &Query<'_>) -> Result<Vec<(SiteId, Holder)>, String> {
    Err("reference paths are found on Linux with glibc only".to_owned())
}
