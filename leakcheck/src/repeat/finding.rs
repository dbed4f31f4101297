//! What a repetition came to.

use std::collections::HashMap;

use super::class::{Class, Evidence};
use super::plan::Stop;
use super::sensitivity::Sensitivity;
use super::{Repeat, Source};
use crate::left::Thing;
use crate::measurement::Growth;
use crate::options::Measure;
use crate::stack::site::SiteId;

/// What a repetition came to.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// The call sites that grew, but for known noise.
    pub(crate) sites: HashMap<SiteId, Growing>,
    /// What was retained in all, if it grew.
    pub(crate) total: Option<Evidence>,
    /// What grew beside memory.
    pub(crate) left: Vec<(Thing, Evidence)>,
    pub(crate) warmup: u64,
    /// Calls after the warm-up, by batch.
    pub(crate) batches: Vec<u64>,
    pub(crate) stop: Stop,
    pub(crate) sensitivity: Sensitivity,
}

/// The growth of a call site.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Growing {
    pub(crate) class: Class,
    /// By batch.
    pub(crate) bytes: Vec<i64>,
    /// By batch.
    pub(crate) blocks: Vec<i64>,
    pub(crate) bytes_per_call: f64,
    pub(crate) blocks_per_call: f64,
}

impl Finding {
    pub(crate) fn of(repeat: &Repeat, stop: Stop) -> Self {
        let few_will_do = few_will_do(repeat, stop);
        let mut sites = sites(repeat, few_will_do);
        let total = evidence(repeat, Source::Bytes, few_will_do);
        if replaces(repeat, &sites) {
            sites.values_mut().for_each(Growing::is_no_leak);
        } else if total.as_ref().is_some_and(|total| total.class == Class::Leak) {
            blame_somebody(repeat, &mut sites);
        }
        Self {
            sites,
            total,
            left: left(repeat, few_will_do),
            warmup: repeat.warmup(),
            batches: repeat.batch_sizes(),
            stop,
            sensitivity: Sensitivity::of(repeat, stop),
        }
    }

    /// Whether something kept pace, over too few calls to tell.
    pub(crate) fn is_undecided(&self) -> bool {
        let left = self.left.iter().map(|(_, evidence)| evidence.class);
        let total = self.total.iter().map(|evidence| evidence.class);
        let mut classes = self.sites.values().map(|site| site.class).chain(total).chain(left);
        classes.any(|class| class == Class::Undecided)
    }

    /// Bytes that every further call leaves behind.
    pub(crate) fn leaked_per_call(&self) -> f64 {
        let leaks = self.sites.values().filter(|site| site.class == Class::Leak);
        let at_sites: f64 = leaks.map(|site| site.bytes_per_call).sum();
        if at_sites > 0.0 || !self.sites.is_empty() {
            return at_sites;
        }
        let total = self.total.as_ref().filter(|total| total.class == Class::Leak);
        total.map_or(0.0, |total| total.per_call)
    }

    /// What every further call leaves behind beside memory.
    pub(crate) fn left_per_call(&self) -> impl Iterator<Item = (Thing, f64)> {
        let leaks = self.left.iter().filter(|(_, evidence)| evidence.class == Class::Leak);
        leaks.map(|(thing, evidence)| (*thing, evidence.per_call))
    }
}

/// Net growth since the end of the warm-up, but for known noise.
pub(crate) fn growth(repeat: &Repeat, measure: Measure) -> Growth {
    let of = |source| repeat.series().track(source).map_or(0, super::track::Track::growth);
    let retained = Growth { bytes: of(Source::Bytes), blocks: of(Source::Blocks) };
    let released = Growth { bytes: of(Source::Released), blocks: of(Source::ReleasedBlocks) };
    match measure {
        Measure::Net => retained - released,
        Measure::Retained => retained,
    }
}

/// Whether few calls are enough: as many as somebody asked for, or as many as left so much behind
/// that there were no more.
pub(super) fn few_will_do(repeat: &Repeat, stop: Stop) -> bool {
    repeat.has_asked_number() || stop == Stop::Growth
}

fn evidence(repeat: &Repeat, source: Source, few_will_do: bool) -> Option<Evidence> {
    repeat.series().track(source).and_then(|track| Evidence::of(track, few_will_do))
}

fn left(repeat: &Repeat, few_will_do: bool) -> Vec<(Thing, Evidence)> {
    let grown = repeat.series().tracks().filter_map(|(source, track)| match source {
        Source::Left(thing) => Some((thing, Evidence::of(track, few_will_do)?)),
        _ => None,
    });
    let mut grown: Vec<_> = grown.collect();
    grown.sort_by_key(|(thing, _)| *thing);
    grown
}

fn sites(repeat: &Repeat, few_will_do: bool) -> HashMap<SiteId, Growing> {
    let sites = repeat.series().tracks().filter_map(|(source, track)| match source {
        Source::BytesAt(site) if !repeat.is_ignored(source) => Some((site, track)),
        _ => None,
    });
    sites
        .filter_map(|(site, track)| {
            let bytes = Evidence::of(track, few_will_do);
            let blocks = evidence(repeat, Source::BlocksAt(site), few_will_do);
            let classes = || bytes.iter().chain(&blocks).map(|evidence| evidence.class);
            let worst = |wanted| classes().find(|class| *class == wanted);
            let class = worst(Class::Leak).or(worst(Class::Undecided)).or(classes().next())?;
            let of_blocks = repeat.series().track(Source::BlocksAt(site))?;
            let growing = Growing {
                class,
                bytes: track.by_batch(),
                blocks: of_blocks.by_batch(),
                bytes_per_call: track.recent_rate(),
                blocks_per_call: of_blocks.recent_rate(),
            };
            Some((site, growing))
        })
        .collect()
}

/// Whether what the body adds takes the place of what others had allocated before it: it releases as
/// much as it adds, in bytes or in blocks. More or less than that is something else: the thread of a
/// shared pool, which works for the region that happened to start it, frees what others hand to it.
fn replaces(repeat: &Repeat, sites: &HashMap<SiteId, Growing>) -> bool {
    let recent = |growth: &[i64]| growth.iter().rev().take(2).sum::<i64>();
    let leaks = || sites.values().filter(|site| site.class == Class::Leak);
    let released =
        |source| repeat.series().track(source).map_or(0, |track| recent(&track.by_batch())) as f64;
    let matches = |added: i64, released: f64| {
        added > 0 && (released / added as f64 - 1.0).abs() <= REPLACEMENT
    };
    matches(leaks().map(|site| recent(&site.bytes)).sum(), released(Source::Released))
        || matches(leaks().map(|site| recent(&site.blocks)).sum(), released(Source::ReleasedBlocks))
}

/// By how much what is released may differ from what takes its place.
const REPLACEMENT: f64 = 0.1;

/// A leak that moves from one call site to another, as a vector that two places push to, keeps pace
/// at neither: the one that has grown most is told.
fn blame_somebody(repeat: &Repeat, sites: &mut HashMap<SiteId, Growing>) {
    if sites.values().any(|site| site.class == Class::Leak) {
        return;
    }
    let growth =
        |id: &SiteId| repeat.series().track(Source::BytesAt(*id)).map_or(0, |track| track.growth());
    if let Some((_, site)) = sites.iter_mut().max_by_key(|(id, _)| (growth(id), **id)) {
        site.class = Class::Leak;
    }
}

impl Growing {
    fn is_no_leak(&mut self) {
        if self.class == Class::Leak {
            self.class = Class::Plateau;
        }
    }
}
