//! Resources on Linux.

mod alone;
#[cfg(c_heap)]
#[allow(unsafe_code, reason = "calls glibc's `mallinfo2`")]
mod c_heap;
#[cfg(not(c_heap))]
#[path = "linux/c_heap_unseen.rs"]
mod c_heap;
pub(crate) mod calls_in_progress;
mod children;
mod creation;
mod fds;
mod new_handles;
#[allow(unsafe_code, reason = "has a zeroed value, and calls `fstat`")]
pub(crate) mod opened_fds;
mod owner;
#[allow(unsafe_code, reason = "reads directories and limits by system calls")]
mod proc;
#[allow(unsafe_code, reason = "calls `getpid` and accesses `errno`")]
pub(crate) mod process;
mod recorded_stack;
#[allow(unsafe_code, reason = "reads the addresses and options of sockets")]
mod socket;
#[allow(unsafe_code, reason = "has a zeroed value")]
pub(crate) mod started_children;
#[allow(unsafe_code, reason = "calls `gettid`")]
mod threads;
#[allow(unsafe_code, reason = "calls `waitid`")]
mod wait;

use leakcheck_ledger::RegionId;
use leakcheck_ledger::accounts::account::Counts;
use leakcheck_system::fork;

use super::{C_HEAP_UNSEEN, Count, Resources};
use crate::options::Scope;
use owner::Owner;

pub(super) use children::describe as describe_child;
pub(super) use fds::describe as describe_fd;
pub(crate) use started_children::start_own_child;
pub(super) use threads::describe as describe_thread;

/// Whether open descriptors and child processes can be listed.
pub(super) const SEES_HANDLES: bool = true;

/// Whether the C library reports how much of its heap is in use.
pub(super) fn sees_c_heap() -> bool {
    c_heap::can_see()
}

/// Why the C heap is not judged in a region of less than the whole process.
const C_HEAP_IS_THE_PROCESS: &str =
    "it is known for a whole process only; run it under nextest or with `scope = \"process\"`";

/// The resources that existed when a region opened.
#[derive(Debug)]
pub(crate) struct Baseline {
    outermost: bool,
    since: alone::Since,
    threads: threads::Baseline,
    fds: fds::Baseline,
    children: children::Baseline,
    c_heap: Option<c_heap::Baseline>,
    scope: Scope,
}

impl Baseline {
    /// Lists the resources. Called once the region is open.
    pub(crate) fn new(outermost: bool, scope: Scope) -> Self {
        fork::in_child(process::claim_memory);
        fork::in_child(calls_in_progress::forget);
        process::claim_memory();
        opened_fds::prepare();
        started_children::prepare();
        if outermost {
            alone::opens();
        }
        Self {
            outermost,
            since: alone::Since::now(),
            threads: threads::Baseline::new(),
            fds: fds::Baseline::new(),
            children: children::Baseline::new(),
            c_heap: if scope == Scope::Process { c_heap::Baseline::new() } else { None },
            scope,
        }
    }

    /// The resources that `owners`, the region and those nested in it, have left behind.
    ///
    /// `everyone` contains the regions of allowed code as well, and `counts` are the figures of
    /// all.
    pub(crate) fn since(
        &self,
        owners: &[RegionId],
        everyone: &[RegionId],
        counts: &Counts,
    ) -> Resources {
        let c_heap = self.c_heap(everyone, counts);
        let owners: Vec<Owner> = owners.iter().copied().map(Owner::region).collect();
        let alone = || self.since.was_alone(everyone);
        Resources {
            unfollowed_threads: self.threads.since().judge(alone),
            fds: self.fds.since(&owners).judge(alone),
            children: self.children.since(&owners).judge(alone),
            c_heap,
        }
    }

    fn c_heap(&self, everyone: &[RegionId], counts: &Counts) -> Count {
        if self.scope != Scope::Process {
            return Count::unknown(C_HEAP_IS_THE_PROCESS);
        }
        match self.c_heap.as_ref().and_then(|baseline| baseline.growth(counts)) {
            None => Count::unknown(C_HEAP_UNSEEN),
            Some(grown) if self.since.was_alone(everyone) => Count::Known(grown),
            Some(_) => Count::unknown(alone::IN_PARALLEL),
        }
    }

    /// Whether the C heap can be judged once threads that have just started wait for the region.
    pub(crate) fn awaits_threads(&self, everyone: &[RegionId]) -> bool {
        self.c_heap.is_some() && self.since.awaits_threads(everyone)
    }

    /// Passes the handles of a nested region to the enclosing one. Called before the region closes.
    pub(crate) fn closes(&self, region: RegionId, parent: RegionId) {
        if self.outermost {
            return alone::closes();
        }
        let (inner, outer) = (Owner::region(region), Owner::region(parent));
        opened_fds::pass_on(inner, outer);
        started_children::pass_on(inner, outer);
    }
}

/// Turns the recorded stacks of all handles into call sites.
///
/// Called before code is unloaded: call sites keep their names, addresses in a stack do not.
pub(crate) fn keep_call_sites() {
    opened_fds::keep_call_sites();
    started_children::keep_call_sites();
}
