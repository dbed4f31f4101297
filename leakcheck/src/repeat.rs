//! A body that runs again and again: whether what it leaves behind keeps coming.
//!
//! One run cannot tell a small leak from a cache that warms up. An allocator that counts has no
//! noise, so repetition can: after a warm-up the body runs in batches that double, and what keeps
//! pace with the calls is a leak. Nothing here knows of allocators: readings go in, and what to do
//! next and what became of each source of growth come out.

mod class;
mod finding;
mod plan;
mod sensitivity;
mod series;
#[cfg(test)]
mod simulation;
mod track;

pub use class::Class;
pub(crate) use class::Evidence;
pub(crate) use finding::{Finding, Growing, growth};
pub(crate) use plan::{Caps, Plan, Stop, WARM_UP};
pub use sensitivity::Sensitivity;
pub(crate) use series::{Reading, Series, Source};

use std::collections::HashSet;
use std::time::Duration;

use crate::options::Iterations;
use crate::stack::site::SiteId;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Call the body.
    Call,
    /// Read the figures.
    Look {
        /// A batch is over, so what is only late is worth waiting for.
        settle: bool,
    },
    /// Enough is known, or a cap is reached.
    Over(Stop),
}

/// A repetition under way.
#[derive(Debug)]
pub(crate) struct Repeat {
    plan: Plan,
    series: Series,
    /// Calls made, those of the warm-up included.
    calls: u64,
    /// Calls of the warm-up, then at the end of each batch begun.
    ends: Vec<u64>,
    /// Time in calls when the last batch began.
    begun: Duration,
    /// Whether the figures after the last call were read.
    seen: bool,
    ignored: HashSet<Source>,
}

impl Repeat {
    pub(crate) fn new(plan: Plan) -> Self {
        Self {
            ends: vec![plan.warmup],
            series: Series::default(),
            calls: 0,
            begun: Duration::ZERO,
            seen: true,
            ignored: HashSet::new(),
            plan,
        }
    }

    /// What to do next, after so much time in calls of the body.
    pub(crate) fn next(&mut self, elapsed: Duration) -> Step {
        if self.calls < self.end() && self.plan.is_far_too_late(self.batches(), elapsed) {
            // A batch that takes far longer than the ones before is cut short.
            let end = self.ends.len() - 1;
            self.ends[end] = self.calls;
            self.seen = false;
        }
        if !self.seen && self.is_look_due() {
            return Step::Look { settle: self.calls == self.end() && self.calls > 0 };
        }
        if self.calls == self.end() {
            let stop = self.plan.stop(self, elapsed);
            if let Some(stop) = stop {
                return Step::Over(stop);
            }
            let size = self.plan.batch(self.batches());
            self.ends.push(self.calls + size);
            self.begun = elapsed;
        }
        self.calls += 1;
        self.seen = false;
        Step::Call
    }

    /// Takes what was read.
    pub(crate) fn see(&mut self, reading: &Reading) {
        self.seen = true;
        let in_batch = self.batches() > 0;
        if !in_batch {
            self.series.see_warm_up(reading, self.calls <= 1);
            return;
        }
        self.series.see(reading, self.position());
        if self.calls == self.end() {
            let size = self.last_batch();
            self.series.end_batch(size);
        }
    }

    /// Leaves a call site out of the judgement: known noise. It goes out of the totals too.
    pub(crate) fn ignore(&mut self, site: SiteId) {
        let pairs =
            [(Source::BytesAt(site), Source::Bytes), (Source::BlocksAt(site), Source::Blocks)];
        for (source, total) in pairs {
            if self.ignored.insert(source) {
                self.series.take_out(source, total);
            }
        }
    }

    pub(crate) fn is_ignored(&self, source: Source) -> bool {
        self.ignored.contains(&source)
    }

    /// Whether somebody has said how many calls are to be made.
    fn has_asked_number(&self) -> bool {
        self.plan.iterations != Iterations::Auto
    }

    pub(crate) fn series(&self) -> &Series {
        &self.series
    }

    /// Calls made, those of the warm-up included.
    pub(crate) fn calls(&self) -> u64 {
        self.calls
    }

    pub(crate) fn warmup(&self) -> u64 {
        self.plan.warmup
    }

    /// The calls of each batch.
    pub(crate) fn batch_sizes(&self) -> Vec<u64> {
        self.ends.windows(2).map(|ends| ends[1] - ends[0]).collect()
    }

    /// Batches begun.
    fn batches(&self) -> usize {
        self.ends.len() - 1
    }

    fn end(&self) -> u64 {
        self.ends[self.ends.len() - 1]
    }

    fn last_batch(&self) -> u64 {
        self.end() - self.ends[self.ends.len().saturating_sub(2)]
    }

    /// How much of the batch is done, in sixteenths.
    fn position(&self) -> u64 {
        let begun = self.ends[self.ends.len() - 2];
        (self.calls - begun) * LOOKS / self.last_batch()
    }

    /// After the first call and the last one of the warm-up, and some times in each batch.
    fn is_look_due(&self) -> bool {
        if self.batches() == 0 {
            return self.calls <= 1 || self.calls == self.end();
        }
        let done = self.calls - self.ends[self.ends.len() - 2];
        let (now, before) = (done * LOOKS, (done - 1) * LOOKS);
        now / self.last_batch() > before / self.last_batch()
    }
}

/// How often the figures are read in a long batch.
const LOOKS: u64 = 16;
