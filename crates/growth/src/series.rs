//! Readings of all figures over the batches of a repetition.

use std::collections::{HashMap, HashSet};

use leakcheck_report::Resource;

use crate::track::Track;

/// The number of a call site, as whoever reads the figures has it.
pub type SiteId = u32;

/// A figure that can grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Quantity {
    /// Bytes retained in total, without known noise.
    Bytes,
    /// Blocks retained in total, without known noise.
    Blocks,
    /// Bytes retained that were allocated at a call site.
    BytesAt(SiteId),
    /// Blocks retained that were allocated at a call site.
    BlocksAt(SiteId),
    /// Bytes that the body freed and others had allocated.
    Released,
    /// Blocks that the body freed and others had allocated.
    ReleasedBlocks,
    /// A resource other than memory.
    Resource(Resource),
}

/// Figures at one moment. Those that are missing are 0.
pub type Reading = HashMap<Quantity, i64>;

/// Readings of all figures over the batches.
#[derive(Debug, Default)]
pub struct Series {
    tracks: HashMap<Quantity, Track>,
    batches: Vec<u64>,
    ignored: HashSet<Quantity>,
}

impl Series {
    pub(crate) fn record_warm_up(&mut self, reading: &Reading, is_first: bool) {
        self.add_new(reading);
        for (quantity, track) in &mut self.tracks {
            track.record_warm_up(value(reading, *quantity), is_first);
        }
    }

    pub(crate) fn record(&mut self, reading: &Reading, position: u64) {
        self.add_new(reading);
        for (quantity, track) in &mut self.tracks {
            track.record(value(reading, *quantity), position);
        }
    }

    pub(crate) fn end_batch(&mut self, calls: u64) {
        self.batches.push(calls);
        self.tracks.values_mut().for_each(|track| track.end_batch(calls));
    }

    /// Takes a quantity out of the judgment, and what it came to in the batches that are over out of a
    /// total.
    pub(crate) fn ignore(&mut self, quantity: Quantity, total: Quantity) {
        if !self.ignored.insert(quantity) {
            return;
        }
        let Some(part) = self.tracks.get(&quantity).cloned() else { return };
        self.tracks.entry(total).and_modify(|total| total.take_out(&part));
    }

    pub(crate) fn is_ignored(&self, quantity: Quantity) -> bool {
        self.ignored.contains(&quantity)
    }

    fn add_new(&mut self, reading: &Reading) {
        for quantity in reading.keys() {
            let batches = &self.batches;
            self.tracks.entry(*quantity).or_insert_with(|| Track::of_new(batches));
        }
    }

    /// The courses of all figures that are judged.
    pub(crate) fn judged(&self) -> impl Iterator<Item = (Quantity, &Track)> {
        self.tracks().filter(|(quantity, _)| !self.is_ignored(*quantity))
    }

    /// The courses of all figures.
    pub fn tracks(&self) -> impl Iterator<Item = (Quantity, &Track)> {
        self.tracks.iter().map(|(quantity, track)| (*quantity, track))
    }

    /// The course of one figure.
    pub fn track(&self, quantity: Quantity) -> Option<&Track> {
        self.tracks.get(&quantity)
    }
}

fn value(reading: &Reading, quantity: Quantity) -> i64 {
    reading.get(&quantity).copied().unwrap_or(0)
}
