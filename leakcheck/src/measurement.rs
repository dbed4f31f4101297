//! What a region came to.

use std::time::Duration;

use stats_alloc::Stats;

use crate::draft;

use crate::report::{CallSite, Events, Timeline};
use crate::resources::Resources;
use leakcheck_ledger::SiteId;
use leakcheck_ledger::thread::running::Running;

pub use leakcheck_report::{Allowed, Amount, Growth};

/// What a region came to: the figures that a verdict is about.
///
/// ```
/// let mut kept = Vec::new();
/// let measurement = leakcheck::measure(|| {
///     kept.push(vec![0_u8; 1000]);
///     drop(vec![0_u8; 5000]);
/// });
/// assert_eq!(measurement.retained.blocks, 2, "the vector of vectors and the one inside");
/// assert!(measurement.peak_bytes >= 6000 && measurement.churn.bytes >= 6000);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Measurement {
    /// Blocks that the region owns and that were live when it was read.
    pub retained: Amount,
    /// Blocks that the region did not own and that its threads freed.
    pub released: Amount,
    /// The most bytes that were live at once. Exact as long as one thread works for the region at a
    /// time; each further one keeps up to 3 kB of what it did to itself for a while.
    pub peak_bytes: u64,
    /// What was allocated in total. A reallocation adds the bytes that it grew by, and no block.
    pub churn: Amount,
    /// Growth in the same stretch that no open region owns: pool threads, other libraries'
    /// threads.
    pub unattributed: Growth,
    /// What [`allow`](crate::allow) left out of the verdict; part of [`retained`](Self::retained).
    pub allowed: Vec<Allowed>,
    pub(crate) stats: Stats,
    pub(crate) sites: Vec<SiteCount>,
    /// What is retained at call sites that are not known.
    pub(crate) siteless: Amount,
    pub(crate) threads: Vec<Running>,
    /// For how long the region had been open when it was first measured.
    pub(crate) elapsed: Duration,
    /// What is left behind beside memory and threads.
    pub(crate) resources: Resources,
    /// Live bytes over time, or why they are not known, where that was asked for.
    pub(crate) timeline: Option<Result<Timeline, String>>,
}

impl Measurement {
    /// Retained minus released: what a threshold is held against.
    pub fn net_growth(&self) -> Growth {
        Growth::from(self.retained) - self.released.into()
    }

    /// The allocator's events: of the whole process in process scope, else of the region.
    pub fn events(&self) -> Events {
        let Stats {
            allocations,
            deallocations,
            reallocations,
            bytes_allocated,
            bytes_deallocated,
            bytes_reallocated,
        } = self.stats;
        let mut events = Events::default();
        events.allocations = allocations as u64;
        events.deallocations = deallocations as u64;
        events.reallocations = reallocations as u64;
        events.bytes_allocated = bytes_allocated as u64;
        events.bytes_deallocated = bytes_deallocated as u64;
        events.bytes_reallocated = bytes_reallocated as i64;
        events
    }

    /// The call sites that retain memory, the largest first, with names. With
    /// `LEAK_STACKS=sampled` their figures are estimates.
    ///
    /// Looking the names up reads the program's debug information, which takes some milliseconds
    /// the first time.
    pub fn call_sites(&self) -> Vec<CallSite> {
        draft::call_sites(&self.sites, None)
    }

    /// The names of the threads that the region started and that still run, as the kernel knows
    /// them: up to 15 bytes, and `unnamed` until a thread has named itself.
    ///
    /// Known on Linux with the feature `threads`; empty elsewhere.
    pub fn running_threads(&self) -> Vec<String> {
        self.threads.iter().map(|thread| thread.name.clone()).collect()
    }
}

/// What one call site retains and released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SiteCount {
    pub(crate) site: SiteId,
    /// What is retained. Where call stacks are sampled it is an estimate, but for `certain`.
    pub(crate) retained: Amount,
    /// The part of it whose call stack was captured for certain.
    pub(crate) certain: Amount,
    /// What was released at this call site.
    pub(crate) released: Amount,
}

impl SiteCount {
    /// What is retained by estimate.
    pub(crate) fn uncertain(&self) -> Amount {
        Amount {
            bytes: self.retained.bytes - self.certain.bytes,
            blocks: self.retained.blocks - self.certain.blocks,
        }
    }
}
