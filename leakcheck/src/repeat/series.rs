//! Readings of all figures over the batches of a repetition.

use std::collections::HashMap;

use super::track::Track;
use crate::left::Thing;
use crate::stack::site::SiteId;

/// What can grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Source {
    /// Bytes retained in all, but for known noise.
    Bytes,
    /// Blocks retained in all, but for known noise.
    Blocks,
    /// Bytes retained that were allocated at a call site.
    BytesAt(SiteId),
    /// Blocks retained that were allocated at a call site.
    BlocksAt(SiteId),
    /// Bytes of others that the body freed.
    Released,
    /// Blocks of others that the body freed.
    ReleasedBlocks,
    /// What is left behind beside memory.
    Left(Thing),
}

/// Figures at one moment. What is not there is 0.
pub(crate) type Reading = HashMap<Source, i64>;

/// Readings of all figures over the batches.
#[derive(Debug, Default)]
pub(crate) struct Series {
    tracks: HashMap<Source, Track>,
    batches: Vec<u64>,
}

impl Series {
    pub(super) fn see_warm_up(&mut self, reading: &Reading, is_first: bool) {
        self.meet(reading);
        for (source, track) in &mut self.tracks {
            track.see_warm_up(value(reading, *source), is_first);
        }
    }

    pub(super) fn see(&mut self, reading: &Reading, position: u64) {
        self.meet(reading);
        for (source, track) in &mut self.tracks {
            track.see(value(reading, *source), position);
        }
    }

    pub(super) fn end_batch(&mut self, calls: u64) {
        self.batches.push(calls);
        self.tracks.values_mut().for_each(|track| track.end_batch(calls));
    }

    /// Takes what a source came to in the batches that are over out of a total.
    pub(super) fn take_out(&mut self, source: Source, total: Source) {
        let Some(part) = self.tracks.get(&source).cloned() else { return };
        self.tracks.entry(total).and_modify(|total| total.take_out(&part));
    }

    fn meet(&mut self, reading: &Reading) {
        for source in reading.keys() {
            let batches = &self.batches;
            self.tracks.entry(*source).or_insert_with(|| Track::of_new(batches));
        }
    }

    pub(crate) fn tracks(&self) -> impl Iterator<Item = (Source, &Track)> {
        self.tracks.iter().map(|(source, track)| (*source, track))
    }

    pub(crate) fn track(&self, source: Source) -> Option<&Track> {
        self.tracks.get(&source)
    }
}

fn value(reading: &Reading, source: Source) -> i64 {
    reading.get(&source).copied().unwrap_or(0)
}
