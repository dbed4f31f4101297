//! Stands in for `linux` on systems that report no resources.

use leakcheck_ledger::RegionId;
use leakcheck_ledger::accounts::account::Counts;
use leakcheck_ledger::thread::running::{RunningThread, UNNAMED};

use super::{C_HEAP_UNSEEN, Child, Count, Fd, Handles, Resources};
use crate::options::Scope;

/// Whether open descriptors and child processes can be listed.
pub(super) const SEES_HANDLES: bool = false;

/// Whether the C library reports how much of its heap is in use.
pub(super) fn sees_c_heap() -> bool {
    false
}

/// Contains nothing, because this system lists no resources.
#[derive(Debug)]
pub(crate) struct Baseline;

impl Baseline {
    pub(crate) fn new(_: bool, _: Scope) -> Self {
        Self
    }

    pub(crate) fn since(&self, _: &[RegionId], _: &[RegionId], _: &Counts) -> Resources {
        let unseen = || Handles {
            count: Count::unknown("not reported on this system"),
            ..Handles::default()
        };
        Resources {
            unfollowed_threads: Handles::default(),
            fds: unseen(),
            children: unseen(),
            c_heap: Count::unknown(C_HEAP_UNSEEN),
        }
    }

    pub(crate) fn awaits_threads(&self, _: &[RegionId]) -> bool {
        false
    }

    pub(crate) fn closes(&self, _: RegionId, _: RegionId) {}
}

pub(super) fn describe_thread(_: i32) -> RunningThread {
    RunningThread { name: UNNAMED.to_owned(), started_at: 0 }
}

pub(super) fn describe_fd(number: i32) -> Fd {
    Fd { number, target: "unknown".to_owned(), opened_at: 0 }
}

pub(super) fn describe_child(_: i32) -> Option<Child> {
    None
}
