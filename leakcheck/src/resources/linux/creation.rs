//! Which region created a handle, and where.

use std::sync::atomic::{AtomicU64, Ordering};

use leakcheck_ledger::SiteId;
use leakcheck_ledger::thread::Thread;
use leakcheck_unwind::Registers;

use super::owner::Owner;
use super::recorded_stack::RecordedStack;

/// The owner of a handle and the call stack that created it.
///
/// Zeroed memory is a value: the creation is not recorded.
#[repr(C)]
pub(super) struct Creation {
    owner: AtomicU64,
    stack: RecordedStack,
}

impl Creation {
    pub(super) fn owner(&self) -> Owner {
        Owner::from_bits(self.owner.load(Ordering::Acquire))
    }

    pub(super) fn set_owner(&self, owner: Owner) {
        self.owner.store(owner.to_bits(), Ordering::Release);
    }

    /// Changes the owner, unless it is no longer `from`.
    pub(super) fn change_owner(&self, from: Owner, to: Owner) {
        let (from, to) = (from.to_bits(), to.to_bits());
        _ = self.owner.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Records the call stack. No other thread may write this value meanwhile.
    pub(super) fn record_stack(&self, thread: &Thread, from: &Registers) {
        self.stack.record(thread, from);
    }

    /// The call site, or 0 where no stack was recorded. This may allocate.
    pub(super) fn call_site(&self) -> SiteId {
        self.stack.call_site()
    }
}
