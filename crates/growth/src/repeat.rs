//! A repetition under way: readings go in, and what to do next comes out.

use std::time::Duration;

use leakcheck_report::{Growth, Metric, Stopped};

use crate::plan::{Iterations, Plan, Progress};
use crate::series::{Quantity, Reading, Series, SiteId};
use crate::track::{READINGS, Track};

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Call the body.
    Call,
    /// Read the figures.
    Read {
        /// A batch is over, so it is worth waiting for drops that are late.
        settle: bool,
    },
    /// Stop: enough is known, or a cap is reached.
    Over(Stopped),
}

/// A repetition under way.
#[derive(Debug)]
pub struct Repeat {
    plan: Plan,
    series: Series,
    /// Calls made, those of the warm-up included.
    calls: u64,
    /// The number of calls at the end of the warm-up, then at the end of each batch begun.
    ends: Vec<u64>,
    /// The time spent in calls when the last batch began.
    begun: Duration,
    /// Whether the figures after the last call were read.
    read: bool,
}

impl Repeat {
    /// A repetition that has not begun.
    pub fn new(plan: Plan) -> Self {
        Self {
            ends: vec![plan.warmup],
            series: Series::default(),
            calls: 0,
            begun: Duration::ZERO,
            read: true,
            plan,
        }
    }

    /// What to do next, given the time spent in calls of the body.
    pub fn next(&mut self, elapsed: Duration) -> Step {
        if self.calls < self.end() && self.plan.is_far_too_late(self.batches(), elapsed) {
            // A batch that takes far longer than those before is cut short.
            let end = self.ends.len() - 1;
            self.ends[end] = self.calls;
            self.read = false;
        }
        if !self.read && self.is_reading_due() {
            return Step::Read { settle: self.calls == self.end() && self.calls > 0 };
        }
        if self.calls == self.end() {
            if let Some(stop) = self.plan.stop(&self.progress(), elapsed) {
                return Step::Over(stop);
            }
            let size = self.plan.batch(self.batches());
            self.ends.push(self.calls + size);
            self.begun = elapsed;
        }
        self.calls += 1;
        self.read = false;
        Step::Call
    }

    /// Takes a reading of all figures.
    pub fn record(&mut self, reading: &Reading) {
        self.read = true;
        let in_batch = self.batches() > 0;
        if !in_batch {
            self.series.record_warm_up(reading, self.calls <= 1);
            return;
        }
        self.series.record(reading, self.position());
        if self.calls == self.end() {
            let size = self.last_batch();
            self.series.end_batch(size);
        }
    }

    /// Leaves a call site, known noise, out of the judgment and out of the totals.
    pub fn ignore(&mut self, site: SiteId) {
        self.series.ignore(Quantity::BytesAt(site), Quantity::Bytes);
        self.series.ignore(Quantity::BlocksAt(site), Quantity::Blocks);
    }

    /// Whether a figure is left out of the judgment.
    pub fn is_ignored(&self, quantity: Quantity) -> bool {
        self.series.is_ignored(quantity)
    }

    /// Whether few calls are enough to judge: as many as were asked for, or as many as leaked so much
    /// that there were no more.
    pub(crate) fn few_suffice(&self, stop: Stopped) -> bool {
        self.plan.iterations != Iterations::Auto || stop == Stopped::CapOfGrowth
    }

    /// Net growth since the end of the warm-up, without known noise.
    pub fn growth(&self, metric: Metric) -> Growth {
        let of = |quantity| self.series.track(quantity).map_or(0, Track::growth);
        let retained = Growth { bytes: of(Quantity::Bytes), blocks: of(Quantity::Blocks) };
        let released =
            Growth { bytes: of(Quantity::Released), blocks: of(Quantity::ReleasedBlocks) };
        match metric {
            Metric::Retained => retained,
            _ => retained - released,
        }
    }

    /// The readings so far.
    pub fn series(&self) -> &Series {
        &self.series
    }

    /// Calls made, those of the warm-up included.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Calls of the warm-up.
    pub fn warmup(&self) -> u64 {
        self.plan.warmup
    }

    /// The calls of each batch.
    pub fn batch_sizes(&self) -> Vec<u64> {
        self.ends.windows(2).map(|ends| ends[1] - ends[0]).collect()
    }

    fn progress(&self) -> Progress<'_> {
        Progress {
            calls: self.calls,
            batches: self.batches(),
            last_batch: self.last_batch(),
            begun: self.begun,
            series: &self.series,
        }
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

    /// How much of the batch is done, in parts of [`READINGS`].
    fn position(&self) -> u64 {
        let begun = self.ends[self.ends.len() - 2];
        (self.calls - begun) * READINGS / self.last_batch()
    }

    /// Whether the figures are to be read: after the first and the last call of the warm-up, and several
    /// times in each batch.
    fn is_reading_due(&self) -> bool {
        if self.batches() == 0 {
            return self.calls <= 1 || self.calls == self.end();
        }
        let done = self.calls - self.ends[self.ends.len() - 2];
        let (now, before) = (done * READINGS, (done - 1) * READINGS);
        now / self.last_batch() > before / self.last_batch()
    }
}
