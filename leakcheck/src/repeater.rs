//! Calls a body repeatedly, as [`Repeat`] decides.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::measurement::SiteCount;
use crate::noise::Sieve;
use crate::region::{Region, Snapshot};
use crate::report::Stacks;
use crate::report::{Resource, Stopped};
use crate::settle::Waiting;
use crate::suppress::Suppression;
use leakcheck_growth::{Plan, Quantity, Reading, Repeat, Step};
use leakcheck_ledger::SiteId;
use leakcheck_ledger::thread::Untracked;

/// One batch may take this part of the time for settling.
const PART_OF_WAIT: u32 = 8;
/// The most snapshots of falling figures: a thread that drops values is waited for as long as it makes
/// progress.
const MOST_FALLS: u32 = 2000;

/// Calls a body repeatedly and takes readings in between.
pub(crate) struct Repeater<'a> {
    region: &'a Region,
    repeat: Repeat,
    stacks: Stacks,
    suppressions: &'a [Suppression],
    /// Call sites whose names were looked up.
    named: HashSet<SiteId>,
    waiting: Waiting,
    /// The rest of the time to wait for threads that have just started.
    for_threads: Waiting,
    /// Why the C heap was not known after a batch, if it was not.
    c_heap_unknown: Option<String>,
    /// When the call under way began.
    called: Option<Instant>,
    in_calls: Duration,
    over: Option<Stopped>,
}

impl<'a> Repeater<'a> {
    pub(crate) fn new(
        region: &'a Region,
        plan: Plan,
        settle_ms: u64,
        for_threads: Waiting,
        stacks: Stacks,
        suppressions: &'a [Suppression],
    ) -> Self {
        let _untracked = Untracked::new();
        Self {
            region,
            repeat: Repeat::new(plan),
            stacks,
            suppressions,
            named: HashSet::new(),
            waiting: Waiting::new(settle_ms),
            for_threads,
            c_heap_unknown: None,
            called: None,
            in_calls: Duration::ZERO,
            over: None,
        }
    }

    /// Whether the body is to be called once more.
    pub(crate) fn goes_on(&mut self) -> bool {
        let _untracked = Untracked::new();
        self.in_calls += self.called.take().map_or(Duration::ZERO, |called| called.elapsed());
        loop {
            match self.repeat.next(self.in_calls) {
                Step::Call => {
                    self.called = Some(Instant::now());
                    return true;
                }
                Step::Read { settle } => self.read(settle),
                Step::Over(stop) => {
                    self.over = Some(stop);
                    return false;
                }
            }
        }
    }

    /// The number of the call under way, from 1.
    pub(crate) fn calls(&self) -> u64 {
        self.repeat.calls()
    }

    pub(crate) fn repeat(&self) -> &Repeat {
        &self.repeat
    }

    /// Why the C heap was not known after every batch, if it was not.
    pub(crate) fn c_heap_unknown(&self) -> Option<&str> {
        self.c_heap_unknown.as_deref()
    }

    /// Why the repetition is over.
    pub(crate) fn stop(&self) -> Stopped {
        self.over.unwrap_or(Stopped::AsAsked)
    }

    fn read(&mut self, settle: bool) {
        self.region.await_threads(&mut self.for_threads);
        let mut snapshot = self.region.snapshot();
        let mut reading = self.reading(&snapshot);
        if let Some(why) = snapshot.resources.c_heap.not_judged() {
            self.c_heap_unknown = Some(why.to_owned());
        }
        if settle && self.grows(&reading) {
            (snapshot, reading) = self.settle(snapshot, reading);
        }
        self.repeat.record(&reading);
        if settle {
            self.ignore_noise(&snapshot.sites);
        }
    }

    /// Takes snapshots as long as that may help.
    fn settle(&mut self, mut snapshot: Snapshot, mut reading: Reading) -> (Snapshot, Reading) {
        let mut part = self.waiting.part(PART_OF_WAIT);
        let mut falls = Waiting::short_pauses(MOST_FALLS);
        let mut falling = false;
        while self.grows(&reading) && (if falling { falls.goes_on() } else { part.goes_on() }) {
            snapshot = self.region.snapshot();
            let next = self.reading(&snapshot);
            falling = level(&next) < level(&reading);
            reading = next;
        }
        self.waiting.give_back(part);
        (snapshot, reading)
    }

    /// Whether a figure is above its value after the previous batch.
    fn grows(&self, reading: &Reading) -> bool {
        let before = |quantity| self.repeat.series().track(quantity).map_or(0, |track| track.end());
        let waited_for =
            |quantity: &Quantity| matches!(quantity, Quantity::Bytes | Quantity::Resource(_));
        reading.iter().any(|(quantity, value)| waited_for(quantity) && *value > before(*quantity))
    }

    /// Looks up the names of the call sites that have grown, and ignores known noise from here on.
    fn ignore_noise(&mut self, sites: &[SiteCount]) {
        if self.stacks != Stacks::Full {
            return;
        }
        let grown = |count: &&SiteCount| {
            let track = self.repeat.series().track(Quantity::BytesAt(count.site));
            track.is_some_and(|track| track.growth() > 0) && !self.named.contains(&count.site)
        };
        let new: Vec<SiteCount> = sites.iter().filter(grown).copied().collect();
        if new.is_empty() {
            return;
        }
        let counting: HashSet<SiteId> =
            Sieve::new(self.suppressions).sift(&new).rest.iter().map(|count| count.site).collect();
        for SiteCount { site, .. } in new {
            self.named.insert(site);
            if !counting.contains(&site) {
                self.repeat.ignore(site);
            }
        }
    }

    fn reading(&self, snapshot: &Snapshot) -> Reading {
        let mut reading = Reading::new();
        let mut total = snapshot.siteless;
        for count in &snapshot.sites {
            if self.repeat.is_ignored(Quantity::BytesAt(count.site)) {
                continue;
            }
            total += count.retained;
            // An estimate decides nothing.
            if self.stacks == Stacks::Full && count.retained.blocks > 0 {
                reading.insert(Quantity::BytesAt(count.site), count.retained.bytes as i64);
                reading.insert(Quantity::BlocksAt(count.site), count.retained.blocks as i64);
            }
        }
        reading.insert(Quantity::Bytes, total.bytes as i64);
        reading.insert(Quantity::Blocks, total.blocks as i64);
        reading.insert(Quantity::Released, snapshot.released.bytes as i64);
        reading.insert(Quantity::ReleasedBlocks, snapshot.released.blocks as i64);
        reading.insert(Quantity::Resource(Resource::Threads), snapshot.threads as i64);
        let counts = snapshot.resources.counts();
        reading.extend(counts.map(|(resource, count)| (Quantity::Resource(resource), count)));
        reading
    }
}

/// The figures that fall while values are dropped and threads end.
fn level(reading: &Reading) -> (i64, i64) {
    let resources =
        reading.iter().filter(|(quantity, _)| matches!(quantity, Quantity::Resource(_)));
    (resources.map(|(_, count)| count).sum(), reading.get(&Quantity::Bytes).copied().unwrap_or(0))
}
