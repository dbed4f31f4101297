//! What a region came to.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stats_alloc::Stats;

use crate::ledger::split::SiteCount;
use crate::left::Left;
use crate::report::{CallSite, Timeline};
use crate::thread::running::Running;

/// An amount of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Bytes as the program asked for them, without headers and rounding.
    pub bytes: u64,
    /// Blocks.
    pub blocks: u64,
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.blocks += other.blocks;
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), |mut sum, amount| {
            sum += amount;
            sum
        })
    }
}

/// A difference between two amounts of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Growth {
    /// Bytes; negative when more went than came.
    pub bytes: i64,
    /// Blocks; negative when more went than came.
    pub blocks: i64,
}

impl From<Amount> for Growth {
    fn from(amount: Amount) -> Self {
        Self { bytes: amount.bytes as i64, blocks: amount.blocks as i64 }
    }
}

impl Add for Growth {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { bytes: self.bytes + other.bytes, blocks: self.blocks + other.blocks }
    }
}

impl Sub for Growth {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { bytes: self.bytes - other.bytes, blocks: self.blocks - other.blocks }
    }
}

/// Memory that [`allow`](crate::allow) left out of the verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowed {
    /// The reason that was given.
    pub why: String,
    /// What is retained of it.
    #[serde(flatten)]
    pub amount: Amount,
}

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
    pub(crate) left: Left,
    /// Live bytes over time, or why they are not known, where that was asked for.
    pub(crate) timeline: Option<Result<Timeline, String>>,
}

impl Measurement {
    /// Retained minus released: what a threshold is held against.
    pub fn net_growth(&self) -> Growth {
        Growth::from(self.retained) - self.released.into()
    }

    /// The region's events, as `stats_alloc` counts them. Net growth is
    /// `bytes_allocated - bytes_deallocated`; `bytes_reallocated` is already part of both.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// The call sites that retain memory, the largest first, with names. With
    /// `LEAK_STACKS=sampled` their figures are estimates.
    ///
    /// Looking the names up reads the program's debug information, which takes some milliseconds
    /// the first time.
    pub fn call_sites(&self) -> Vec<CallSite> {
        crate::report::call_sites(&self.sites, None)
    }

    /// The names of the threads that the region started and that still run, as the kernel knows
    /// them: up to 15 bytes, and `unnamed` until a thread has named itself.
    ///
    /// Known on Linux with the feature `threads`; empty elsewhere.
    pub fn running_threads(&self) -> Vec<String> {
        self.threads.iter().map(|thread| thread.name.clone()).collect()
    }
}
