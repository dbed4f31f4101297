//! What regions retain and have released, split by call site.

use super::account::{self, RegionId};
use super::{estimate, release, shard};
use crate::call_site::SiteId;
use crate::volume::Volume;

/// What regions have come to, by call site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    pub sites: Vec<SiteCount>,
    /// What is retained at call sites that are not known.
    pub siteless: Volume,
}

/// What one call site has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteCount {
    pub site: SiteId,
    /// What was allocated there and is still live; an estimate where call stacks are sampled.
    pub retained: Volume,
    /// The part of it that is known to come from there: all, or that of large blocks where call
    /// stacks are sampled.
    pub certain: Volume,
    /// What was freed there without being the region's own.
    pub released: Volume,
}

/// What `owners` retain, and what the first of them has released, by call site. What an inner
/// region released was released by those around it too.
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

/// Read again when records passed from shards to accounts meanwhile: some may have been missed.
fn retained(owners: &[RegionId]) -> Split {
    loop {
        let before = account::transfers();
        let split = retained_now(owners);
        if before.is_some() && account::transfers() == before {
            return split;
        }
        std::thread::yield_now();
    }
}

fn retained_now(owners: &[RegionId]) -> Split {
    let records = owners.iter().flat_map(|&owner| {
        let pinned = account::get(owner).into_iter().flat_map(|account| account.pinned().records());
        pinned.chain(shard::of(owner).flat_map(shard::Shard::records))
    });
    let mut split = Split::default();
    for record in records {
        let retained = record.sum().live();
        match record.site() {
            0 => split.siteless += retained,
            site => {
                let certain = if record.is_sample() { Volume::default() } else { retained };
                split.sites.push(SiteCount { retained, certain, ..SiteCount::none(site) });
            }
        }
    }
    split
}

impl SiteCount {
    fn none(site: SiteId) -> Self {
        let none = Volume::default();
        Self { site, retained: none, certain: none, released: none }
    }

    /// The part of what is retained that comes from a sample.
    pub fn uncertain(&self) -> Volume {
        Volume {
            bytes: self.retained.bytes - self.certain.bytes,
            blocks: self.retained.blocks - self.certain.blocks,
        }
    }
}
