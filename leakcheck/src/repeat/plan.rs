//! How often a body is called.

use std::time::Duration;

use super::class::{Class, class};
use super::track::Track;
use super::{Repeat, Source};
use crate::left::Thing;
use crate::options::Iterations;

/// Calls of the warm-up where nobody said otherwise: one that makes what is lazy, and one for what
/// the first left to grow. Then a clean body is known after nine calls: of eight in a row even what
/// comes with every seventh shows, and so does a vector's growth from its first capacity.
pub(crate) const WARM_UP: u64 = 2;
/// Batches that a clean body takes.
const CLEAN_BATCHES: usize = 3;
/// Quiet calls that are asked for once something has grown after the first one: what comes by
/// chance, at three calls in ten, stays away from so many once in five thousand times.
const QUIET_CALLS: u64 = 24;
/// A body is not called any more when another batch would leave more bytes than this.
const MOST_BYTES: i64 = 256 << 20;
/// Batches that are made however long they take, so that there is something to compare.
const LEAST_BATCHES: usize = 2;

/// Calls without which growth is called neither a leak nor anything else: five batches.
const LEAST_TO_TELL: u64 = 31;
/// How many times the cap in time may be passed for them.
const PATIENCE: u32 = 4;

/// What ends a repetition that decides itself how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caps {
    /// Calls after the warm-up.
    pub(crate) calls: u64,
    /// Time in calls.
    pub(crate) time: Duration,
}

impl Default for Caps {
    fn default() -> Self {
        Self { calls: 16_383, time: Duration::from_secs(3) }
    }
}

/// How often a body is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) iterations: Iterations,
    pub(crate) warmup: u64,
    pub(crate) caps: Caps,
}

/// Why a repetition ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Nothing grows any more.
    Certain,
    /// As many calls as were asked for.
    AsAsked,
    /// The most calls.
    Calls,
    /// The most time.
    Time,
    /// The most bytes, threads and so on.
    Growth,
}

impl Plan {
    /// The calls of the batch that has so many before it.
    pub(super) fn batch(&self, index: usize) -> u64 {
        let doubled = 1_u64.checked_shl(index as u32).unwrap_or(u64::MAX);
        let before = doubled - 1;
        let most = match self.iterations {
            Iterations::Auto => self.caps.calls,
            Iterations::Exactly(calls) => calls,
        };
        let rest = most.saturating_sub(before).max(1);
        // What would be left for a shorter batch is part of this one: it could be compared with none.
        if rest < doubled.saturating_mul(2) { rest } else { doubled }
    }

    /// Whether a repetition that is between two batches is over.
    pub(super) fn stop(&self, repeat: &Repeat, elapsed: Duration) -> Option<Stop> {
        let calls = repeat.calls - self.warmup;
        if let Iterations::Exactly(asked) = self.iterations {
            return (calls >= asked).then_some(Stop::AsAsked);
        }
        let batches = repeat.batches();
        if batches >= CLEAN_BATCHES && self.is_quiet(repeat) {
            return Some(Stop::Certain);
        }
        if calls >= self.caps.calls {
            return Some(Stop::Calls);
        }
        if batches >= LEAST_BATCHES && grows_too_much(repeat) {
            return Some(Stop::Growth);
        }
        // As long a call as in the last batch, or longer: what leaks may slow the body down.
        let last = elapsed.saturating_sub(repeat.begun).as_secs_f64();
        let next = last / repeat.last_batch().max(1) as f64 * self.batch(batches) as f64;
        // What still grows gets the calls that it takes to tell, if there is any hope.
        let undecided = calls < LEAST_TO_TELL && !self.is_quiet(repeat);
        let most = self.caps.time * if undecided { PATIENCE } else { 1 };
        let late = elapsed.as_secs_f64() + next > most.as_secs_f64();
        (batches >= LEAST_BATCHES && late).then_some(Stop::Time)
    }

    /// Whether a batch that is under way has taken so long that it is better cut short.
    pub(super) fn is_far_too_late(&self, batches: usize, elapsed: Duration) -> bool {
        self.iterations == Iterations::Auto
            && batches > LEAST_BATCHES
            && elapsed > self.caps.time * (PATIENCE + 1)
    }

    /// Whether nothing has grown for long enough, and nothing has begun to again.
    fn is_quiet(&self, repeat: &Repeat) -> bool {
        repeat.series.tracks().filter(|(source, _)| !repeat.is_ignored(*source)).all(
            |(_, track)| match track.last_growth(self.warmup) {
                None => !goes_on(track),
                Some(last) => repeat.calls - last >= QUIET_CALLS.max(last) && !goes_on(track),
            },
        )
    }
}

/// Nor when it would leave more of these: systems have limits, a thousand descriptors being usual.
fn most(thing: Thing) -> i64 {
    match thing {
        Thing::Threads | Thing::Children => 32,
        Thing::Fds => 128,
        Thing::CHeap => MOST_BYTES,
    }
}

fn goes_on(track: &Track) -> bool {
    class(track).is_some_and(Class::goes_on)
}

/// The next batch is as long as all before, so what has grown will double.
fn grows_too_much(repeat: &Repeat) -> bool {
    repeat.series.tracks().any(|(source, track)| match source {
        Source::Left(thing) => track.growth() * 2 >= most(thing),
        Source::Bytes => track.growth() * 2 >= MOST_BYTES,
        _ => false,
    })
}
