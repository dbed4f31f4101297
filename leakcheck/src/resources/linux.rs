//! Resources on Linux.

mod alone;
#[cfg(c_heap)]
#[allow(unsafe_code, reason = "asks the C library for figures")]
mod c_heap;
#[cfg(not(c_heap))]
#[path = "linux/c_heap_unseen.rs"]
mod c_heap;
pub(crate) mod calls_in_progress;
#[allow(unsafe_code, reason = "says that zeroed memory is an entry")]
pub(crate) mod child_started;
mod children;
#[allow(unsafe_code, reason = "says that zeroed memory is an entry, and asks for a file's status")]
pub(crate) mod fd_opened;
mod fds;
mod owner;
#[allow(unsafe_code, reason = "asks the system")]
mod proc;
#[allow(unsafe_code, reason = "asks for this process's id, and restores its error number")]
pub(crate) mod process;
mod recorded_stack;
#[allow(unsafe_code, reason = "asks for the addresses of a socket")]
mod socket;
#[allow(unsafe_code, reason = "asks the system for children")]
mod wait;

use leakcheck_ledger::RegionId;
use leakcheck_ledger::accounts::account::Counts;
use leakcheck_system::fork;

use super::{C_HEAP_UNSEEN, Count, Handles, Resources};
use crate::options::Scope;
use owner::Owner;

pub(crate) use child_started::start_own_child;
pub(super) use children::describe as describe_child;
pub(super) use fds::describe as describe_fd;

/// Whether open descriptors and child processes can be listed.
pub(super) const SEES_HANDLES: bool = true;

/// Whether the C library reports how much of its heap is in use.
pub(super) fn sees_c_heap() -> bool {
    c_heap::can_see()
}

/// Why nothing is known of the C heap where a region is not all of the process.
const C_HEAP_IS_THE_PROCESS: &str =
    "known for a whole process only: run under nextest or give the check `scope = \"process\"`";

/// What was there when a region opened.
#[derive(Debug)]
pub(crate) struct Baseline {
    outermost: bool,
    since: alone::Since,
    fds: fds::Baseline,
    children: children::Baseline,
    c_heap: Option<c_heap::Baseline>,
    scope: Scope,
}

/// The handles that have appeared since, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Known to be the regions' own.
    own: Vec<i32>,
    /// Nobody is known to have made them.
    unclear: Vec<i32>,
}

impl Baseline {
    /// To be called when a region is open.
    pub(crate) fn new(outermost: bool, scope: Scope) -> Self {
        fork::in_child(process::is_this);
        fork::in_child(calls_in_progress::forget);
        process::is_this();
        fd_opened::prepare();
        child_started::prepare();
        if outermost {
            alone::opens();
        }
        Self {
            outermost,
            since: alone::Since::now(),
            fds: fds::Baseline::new(),
            children: children::Baseline::new(),
            c_heap: if scope == Scope::Process { c_heap::Baseline::new() } else { None },
            scope,
        }
    }

    /// What the `owners`, the region and those inside it, have left behind by now. `everyone` is them
    /// and the regions of what is allowed, and `counts` are their figures.
    pub(crate) fn since(
        &self,
        owners: &[RegionId],
        everyone: &[RegionId],
        counts: &Counts,
    ) -> Resources {
        let c_heap = self.c_heap(everyone, counts);
        let whose: Vec<Owner> = owners.iter().copied().map(Owner::region).collect();
        let alone = || self.since.was_alone(everyone);
        Resources {
            fds: self.fds.since(&whose).judge(alone),
            children: self.children.since(&whose).judge(alone),
            c_heap,
        }
    }

    fn c_heap(&self, everyone: &[RegionId], counts: &Counts) -> Count {
        if self.scope != Scope::Process {
            return Count::none(C_HEAP_IS_THE_PROCESS);
        }
        match self.c_heap.as_ref().and_then(|baseline| baseline.growth(counts)) {
            None => Count::none(C_HEAP_UNSEEN),
            Some(grown) if self.since.was_alone(everyone) => Count::Known(grown),
            Some(_) => Count::none(alone::IN_PARALLEL),
        }
    }

    /// To be called when the region is about to close.
    pub(crate) fn closes(&self, region: RegionId, parent: RegionId) {
        if self.outermost {
            return alone::closes();
        }
        let (inner, outer) = (Owner::region(region), Owner::region(parent));
        fd_opened::pass_on(inner, outer);
        child_started::pass_on(inner, outer);
    }
}

impl Found {
    fn judge(mut self, alone: impl FnOnce() -> bool) -> Handles {
        let clear = self.unclear.is_empty() || alone();
        if clear {
            self.own.append(&mut self.unclear);
        }
        let number = self.own.len() as i64;
        let count = match clear {
            true => Count::Known(number),
            false => Count::NotJudged { at_least: number, why: alone::IN_PARALLEL },
        };
        Handles { count, numbers: self.own }
    }
}

/// Turns the recorded stacks of all handles into call sites, which outlive code that is about to be
/// unloaded.
pub(crate) fn keep_call_sites() {
    fd_opened::keep_call_sites();
    child_started::keep_call_sites();
}
