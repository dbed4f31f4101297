//! The figures of a region.

use std::time::Duration;

use stats_alloc::Stats;

use crate::report::{Events, Timeline};
use crate::resources::Resources;
use leakcheck_ledger::SiteId;
use leakcheck_ledger::thread::running::RunningThread;

pub use leakcheck_report::{Allowed, Amount, Growth};

/// The figures of a region, which a verdict is about.
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
    /// Blocks that the region owns and that were live when it was measured.
    pub retained: Amount,
    /// Blocks that the region did not own and that its threads freed.
    pub released: Amount,
    /// The most bytes that were live at once. Exact as long as one thread works for the region at a
    /// time; each further thread may delay the figures of up to 3 KiB.
    pub peak_bytes: u64,
    /// What was allocated in total. A reallocation adds the bytes by which it enlarged the block, and no
    /// block.
    pub churn: Amount,
    /// Growth of the process in the same stretch that no open region owns, for example by threads of a
    /// pool.
    pub unattributed: Growth,
    /// Memory that [`allow`](crate::allow) excludes from the verdict; part of
    /// [`retained`](Self::retained).
    pub allowed: Vec<Allowed>,
    pub(crate) stats: Stats,
    pub(crate) sites: Vec<SiteCount>,
    /// What is retained at unknown call sites.
    pub(crate) siteless: Amount,
    /// The threads that hooks follow.
    pub(crate) threads: Vec<RunningThread>,
    /// How long the region had been open when it was first measured.
    pub(crate) elapsed: Duration,
    /// Resources other than memory and threads that are left.
    pub(crate) resources: Resources,
    /// Live bytes over time, or why they are unknown, where they were asked for.
    pub(crate) timeline: Option<Result<Timeline, String>>,
}

impl Measurement {
    /// Retained minus released: the figure that thresholds apply to.
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

    /// The names of the threads that the region started and that still run, as the kernel knows
    /// them: up to 15 bytes, and `unnamed` until a thread has named itself.
    ///
    /// Known on Linux with the feature `threads`; empty elsewhere.
    pub fn running_threads(&self) -> Vec<String> {
        self.all_threads().into_iter().map(|thread| thread.name).collect()
    }

    /// How many threads the region started that still run, at least.
    pub(crate) fn number_of_threads(&self) -> i64 {
        self.threads.len() as i64 + self.resources.unfollowed_threads.count.at_least()
    }

    /// The threads that the region started and that still run.
    pub(crate) fn all_threads(&self) -> Vec<RunningThread> {
        let unfollowed = self.resources.unfollowed_threads();
        self.threads.iter().cloned().chain(unfollowed).collect()
    }
}

/// What one call site retains and released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SiteCount {
    pub(crate) site: SiteId,
    /// What is retained. With sampled call stacks, all of it except `certain` is an estimate.
    pub(crate) retained: Amount,
    /// The part of it whose call stack was captured for certain.
    pub(crate) certain: Amount,
    /// What was released at this call site.
    pub(crate) released: Amount,
}

impl SiteCount {
    /// The estimated part of what is retained.
    pub(crate) fn uncertain(&self) -> Amount {
        Amount {
            bytes: self.retained.bytes - self.certain.bytes,
            blocks: self.retained.blocks - self.certain.blocks,
        }
    }
}
