//! How often a body is called, and when to stop.

use std::time::Duration;

use leakcheck_report::{Resource, Stopped};

use crate::class::{self, class};
use crate::series::{Quantity, Series};
use crate::track::Track;

/// How often a body is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Iterations {
    /// As often as it takes to distinguish a leak from a warm-up: nine calls for a body that leaks
    /// nothing, more while something still grows, up to the caps in the settings.
    Auto,
    /// So many times after the warm-up.
    Exactly(u64),
}

impl From<u64> for Iterations {
    fn from(calls: u64) -> Self {
        Self::Exactly(calls)
    }
}

/// The default number of warm-up calls: one that initializes lazy values, and one for collections that
/// the first call has not yet grown. A clean body is then known after nine calls: eight in a row show
/// even a leak in every seventh call, and the growth of a vector beyond its first capacity.
pub const WARM_UP: u64 = 2;
/// How many batches a clean body takes.
const CLEAN_BATCHES: usize = 3;
/// How many calls must pass without growth once something has grown after the first one. A leak by
/// chance, in three calls of ten, is absent from so many calls once in five thousand times.
const QUIET_CALLS: u64 = 24;
/// The repetition stops when another batch would leak more bytes than this.
const MOST_BYTES: i64 = 256 << 20;
/// Batches that run however long they take, so that there is something to compare.
const LEAST_BATCHES: usize = 2;

/// The number of calls below which growth is undecided: five batches.
const LEAST_TO_TELL: u64 = 31;
/// By which factor the cap in time may be exceeded to reach them.
const PATIENCE: u32 = 4;

/// The caps of a repetition that decides itself how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Calls after the warm-up.
    pub calls: u64,
    /// Time in calls.
    pub time: Duration,
}

impl Default for Caps {
    fn default() -> Self {
        Self { calls: 16_383, time: Duration::from_secs(3) }
    }
}

/// How often a body is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How often after the warm-up.
    pub iterations: Iterations,
    /// How often before.
    pub warmup: u64,
    /// The caps where it decides itself how long it is.
    pub caps: Caps,
}

/// How far a repetition has come, between two batches.
pub(crate) struct Progress<'a> {
    /// Calls made, those of the warm-up included.
    pub(crate) calls: u64,
    /// Batches begun.
    pub(crate) batches: usize,
    /// The calls of the last batch.
    pub(crate) last_batch: u64,
    /// Time in calls when the last batch began.
    pub(crate) begun: Duration,
    pub(crate) series: &'a Series,
}

impl Plan {
    /// The calls of the batch with that index.
    pub(crate) fn batch(&self, index: usize) -> u64 {
        let doubled = 1_u64.checked_shl(index as u32).unwrap_or(u64::MAX);
        let before = doubled - 1;
        let most = match self.iterations {
            Iterations::Auto => self.caps.calls,
            Iterations::Exactly(calls) => calls,
        };
        let rest = most.saturating_sub(before).max(1);
        // A remainder shorter than this batch is added to it: it could not be compared.
        if rest < doubled.saturating_mul(2) { rest } else { doubled }
    }

    /// Whether a repetition that is between two batches is over.
    pub(crate) fn stop(&self, progress: &Progress<'_>, elapsed: Duration) -> Option<Stopped> {
        let calls = progress.calls - self.warmup;
        if let Iterations::Exactly(asked) = self.iterations {
            return (calls >= asked).then_some(Stopped::AsAsked);
        }
        let batches = progress.batches;
        if batches >= CLEAN_BATCHES && self.is_quiet(progress) {
            return Some(Stopped::Certain);
        }
        if calls >= self.caps.calls {
            return Some(Stopped::CapOfCalls);
        }
        if batches >= LEAST_BATCHES && grows_too_much(progress.series) {
            return Some(Stopped::CapOfGrowth);
        }
        // A call takes as long as in the last batch, or longer: a leak may slow the body down.
        let last = elapsed.saturating_sub(progress.begun).as_secs_f64();
        let next = last / progress.last_batch.max(1) as f64 * self.batch(batches) as f64;
        // If something still grows, the repetition may take the calls that a decision needs.
        let undecided = calls < LEAST_TO_TELL && !self.is_quiet(progress);
        let most = self.caps.time * if undecided { PATIENCE } else { 1 };
        let late = elapsed.as_secs_f64() + next > most.as_secs_f64();
        (batches >= LEAST_BATCHES && late).then_some(Stopped::CapOfTime)
    }

    /// Whether a batch under way has taken so long that it is cut short.
    pub(crate) fn is_far_too_late(&self, batches: usize, elapsed: Duration) -> bool {
        self.iterations == Iterations::Auto
            && batches > LEAST_BATCHES
            && elapsed > self.caps.time * (PATIENCE + 1)
    }

    /// Whether nothing has grown for long enough.
    fn is_quiet(&self, progress: &Progress<'_>) -> bool {
        progress.series.judged().all(|(_, track)| {
            let is_long_ago = |last| progress.calls - last >= QUIET_CALLS.max(last);
            track.last_growth(self.warmup).is_none_or(is_long_ago) && !goes_on(track)
        })
    }
}

/// Nor does it go on when another batch would leave more of these: systems have limits, usually a
/// thousand descriptors.
fn most(resource: Resource) -> i64 {
    match resource {
        Resource::Fds => 128,
        Resource::CHeap => MOST_BYTES,
        _ => 32,
    }
}

fn goes_on(track: &Track) -> bool {
    class(track).is_some_and(class::goes_on)
}

/// The next batch is as long as all before together, so growth will double.
fn grows_too_much(series: &Series) -> bool {
    series.tracks().any(|(quantity, track)| match quantity {
        Quantity::Resource(resource) => track.growth() * 2 >= most(resource),
        Quantity::Bytes => track.growth() * 2 >= MOST_BYTES,
        _ => false,
    })
}
