//! The outcome of a repetition.

use std::collections::HashMap;

use leakcheck_report::order;
use leakcheck_report::{GrowthClass as Class, Resource, Sensitivity, Stopped};

use crate::class::Trend;
use crate::repeat::Repeat;
use crate::sensitivity::sensitivity;
use crate::series::{Quantity, SiteId};

/// The outcome of a repetition.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The call sites that grew, without known noise.
    pub sites: HashMap<SiteId, SiteGrowth>,
    /// What was retained in total, if it grew.
    pub total: Option<Trend>,
    /// The resources other than memory that grew.
    pub resources: Vec<(Resource, Trend)>,
    /// Calls of the warm-up.
    pub warmup: u64,
    /// Calls in each batch after the warm-up.
    pub batches: Vec<u64>,
    /// Why there were no more.
    pub stop: Stopped,
    /// Which leaks would have been seen.
    pub sensitivity: Sensitivity,
}

/// The growth of a call site.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteGrowth {
    /// What its course says.
    pub class: Class,
    /// Bytes by batch.
    pub bytes: Vec<i64>,
    /// Blocks by batch.
    pub blocks: Vec<i64>,
    /// Bytes per call over the last batches.
    pub bytes_per_call: f64,
    /// Blocks per call over the last batches.
    pub blocks_per_call: f64,
}

impl Finding {
    /// The outcome of a repetition that ended for that reason.
    pub fn of(repeat: &Repeat, stop: Stopped) -> Self {
        let few_suffice = repeat.few_suffice(stop);
        let mut sites = sites(repeat, few_suffice);
        let total = trend(repeat, Quantity::Bytes, few_suffice);
        if replaces_memory(repeat, &sites) {
            sites.values_mut().for_each(SiteGrowth::acquit);
        } else if total.as_ref().is_some_and(|total| total.class == Class::Leak) {
            blame_largest(repeat, &mut sites);
        }
        Self {
            sites,
            total,
            resources: resources(repeat, few_suffice),
            warmup: repeat.warmup(),
            batches: repeat.batch_sizes(),
            stop,
            sensitivity: sensitivity(repeat, stop),
        }
    }

    /// Whether growth was proportional, but over too few calls to decide.
    pub fn is_undecided(&self) -> bool {
        let resources = self.resources.iter().map(|(_, trend)| trend.class);
        let total = self.total.iter().map(|trend| trend.class);
        let mut classes = self.sites.values().map(|site| site.class).chain(total).chain(resources);
        classes.any(|class| class == Class::Undecided)
    }

    /// Bytes that every further call leaks.
    pub fn leaked_per_call(&self) -> f64 {
        let leaks = self.sites.values().filter(|site| site.class == Class::Leak);
        let at_sites: f64 = leaks.map(|site| site.bytes_per_call).sum();
        if at_sites > 0.0 || !self.sites.is_empty() {
            return at_sites;
        }
        let total = self.total.as_ref().filter(|total| total.class == Class::Leak);
        total.map_or(0.0, |total| total.per_call)
    }

    /// How much of resources other than memory every further call leaves behind.
    pub fn resources_per_call(&self) -> impl Iterator<Item = (Resource, f64)> {
        let leaks = self.resources.iter().filter(|(_, trend)| trend.class == Class::Leak);
        leaks.map(|(resource, trend)| (*resource, trend.per_call))
    }
}

fn trend(repeat: &Repeat, quantity: Quantity, few_suffice: bool) -> Option<Trend> {
    repeat.series().track(quantity).and_then(|track| Trend::of(track, few_suffice))
}

fn resources(repeat: &Repeat, few_suffice: bool) -> Vec<(Resource, Trend)> {
    let grown = repeat.series().tracks().filter_map(|(quantity, track)| match quantity {
        Quantity::Resource(resource) => Some((resource, Trend::of(track, few_suffice)?)),
        _ => None,
    });
    let mut grown: Vec<_> = grown.collect();
    order::sort_by_key(&mut grown, |(resource, _)| *resource);
    grown
}

fn sites(repeat: &Repeat, few_suffice: bool) -> HashMap<SiteId, SiteGrowth> {
    let sites = repeat.series().tracks().filter_map(|(quantity, track)| match quantity {
        Quantity::BytesAt(site) if !repeat.is_ignored(quantity) => Some((site, track)),
        _ => None,
    });
    sites
        .filter_map(|(site, track)| {
            let bytes = Trend::of(track, few_suffice);
            let blocks = trend(repeat, Quantity::BlocksAt(site), few_suffice);
            let classes = || bytes.iter().chain(&blocks).map(|trend| trend.class);
            let worst = |wanted| classes().find(|class| *class == wanted);
            let class = worst(Class::Leak).or(worst(Class::Undecided)).or(classes().next())?;
            let of_blocks = repeat.series().track(Quantity::BlocksAt(site))?;
            let growing = SiteGrowth {
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

/// Whether what the body allocates replaces what others had allocated before: it releases as much as
/// it retains, in bytes or in blocks. A different amount means something else: the thread of a shared
/// pool, which works for the region that happened to start it, frees what others hand to it.
fn replaces_memory(repeat: &Repeat, sites: &HashMap<SiteId, SiteGrowth>) -> bool {
    let recent = |growth: &[i64]| growth.iter().rev().take(2).sum::<i64>();
    let leaks = || sites.values().filter(|site| site.class == Class::Leak);
    let released = |quantity| {
        repeat.series().track(quantity).map_or(0, |track| recent(&track.by_batch())) as f64
    };
    let matches = |added: i64, released: f64| {
        added > 0 && (released / added as f64 - 1.0).abs() <= REPLACEMENT
    };
    matches(leaks().map(|site| recent(&site.bytes)).sum(), released(Quantity::Released))
        || matches(
            leaks().map(|site| recent(&site.blocks)).sum(),
            released(Quantity::ReleasedBlocks),
        )
}

/// By how much the released amount may differ from its replacement.
const REPLACEMENT: f64 = 0.1;

/// A leak that moves from one call site to another, as in a vector that two functions push to, is not
/// proportional at either: the call site that has grown most counts as the leak.
fn blame_largest(repeat: &Repeat, sites: &mut HashMap<SiteId, SiteGrowth>) {
    if sites.values().any(|site| site.class == Class::Leak) {
        return;
    }
    let growth = |id: &SiteId| {
        repeat.series().track(Quantity::BytesAt(*id)).map_or(0, |track| track.growth())
    };
    if let Some((_, site)) = sites.iter_mut().max_by_key(|(id, _)| (growth(id), **id)) {
        site.class = Class::Leak;
    }
}

impl SiteGrowth {
    fn acquit(&mut self) {
        if self.class == Class::Leak {
            self.class = Class::Plateau;
        }
    }
}
