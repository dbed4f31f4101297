//! The memory that regions retain and have released, by call site.

use super::account::{self, RegionId};
use super::{estimate, release, shard};
use crate::call_site::SiteId;
use crate::totals::Totals;

/// The figures of regions by call site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    pub sites: Vec<SiteCount>,
    /// What is retained at unknown call sites.
    pub siteless: Totals,
}

/// The figures of one call site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteCount {
    pub site: SiteId,
    /// The live memory that was allocated there. It is an estimate if call stacks are sampled.
    pub retained: Totals,
    /// The part of it that is not estimated: all of it, or the large blocks if call stacks are
    /// sampled.
    pub certain: Totals,
    /// The memory freed there that the region did not own.
    pub released: Totals,
}

/// Returns what `owners` retain and what the first of them has released. Releases of inner regions
/// are included in those of the regions around them.
pub fn by_call_site(owners: &[RegionId]) -> Split {
    let Split { mut sites, siteless } = retained(owners);
    for (site, released) in owners.first().into_iter().flat_map(|owner| release::counts(*owner)) {
        sites.push(SiteCount { released, ..SiteCount::none(site) });
    }
    sites.retain(|count| count.retained.blocks > 0 || count.released.blocks > 0);
    sites.sort_by_key(|count| count.site);
    sites.dedup_by(|next, first| {
        let same = next.site == first.site;
        if same {
            first.retained += next.retained;
            first.certain += next.certain;
            first.released += next.released;
        }
        same
    });
    let siteless = estimate::apportion(siteless, &mut sites);
    Split { sites, siteless }
}

/// Returns what `owners` retain. It reads again if records were transferred from shards to accounts
/// during the reading, because it may have missed some.
fn retained(owners: &[RegionId]) -> Split {
    loop {
        let before = account::transfers();
        let split = read_retained(owners);
        if before.is_some() && account::transfers() == before {
            return split;
        }
        std::thread::yield_now();
    }
}

fn read_retained(owners: &[RegionId]) -> Split {
    let records = owners.iter().flat_map(|&owner| {
        let pinned = account::get(owner).into_iter().flat_map(|account| account.pinned().records());
        pinned.chain(shard::of_region(owner).flat_map(shard::Shard::records))
    });
    let mut split = Split::default();
    for record in records {
        let retained = record.sum().live();
        match record.site() {
            0 => split.siteless += retained,
            site => {
                let certain = if record.is_sample() { Totals::default() } else { retained };
                split.sites.push(SiteCount { retained, certain, ..SiteCount::none(site) });
            }
        }
    }
    split
}

impl SiteCount {
    fn none(site: SiteId) -> Self {
        let none = Totals::default();
        Self { site, retained: none, certain: none, released: none }
    }

    /// Returns the part of the retained memory that is not certain.
    pub fn uncertain(&self) -> Totals {
        Totals {
            bytes: self.retained.bytes - self.certain.bytes,
            blocks: self.retained.blocks - self.certain.blocks,
        }
    }
}
