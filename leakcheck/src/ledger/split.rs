//! What regions retain and have released, split by call site.

use super::account::{self, RegionId};
use super::{release, shard};
use crate::measurement::Amount;
use crate::stack::site::SiteId;

/// What one call site has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SiteCount {
    pub(crate) site: SiteId,
    /// What was allocated there and is still live.
    pub(crate) retained: Amount,
    /// What was freed there without being the region's own.
    pub(crate) released: Amount,
}

/// What `owners` retain, and what the first of them has released, by call site. What an inner
/// region released was released by those around it too.
pub(crate) fn by_call_site(owners: &[RegionId]) -> Vec<SiteCount> {
    let mut counts = retained(owners);
    for (site, released) in owners.first().into_iter().flat_map(|owner| release::counts(*owner)) {
        counts.push(SiteCount { site, retained: Amount::default(), released });
    }
    counts.retain(|count| count.retained.blocks > 0 || count.released.blocks > 0);
    counts.sort_by_key(|count| count.site);
    counts.dedup_by(|next, first| {
        let same = next.site == first.site;
        if same {
            first.retained += next.retained;
            first.released += next.released;
        }
        same
    });
    counts
}

/// Read again when records passed from shards to accounts meanwhile: some may have been missed.
fn retained(owners: &[RegionId]) -> Vec<SiteCount> {
    loop {
        let before = account::passings();
        let counts = retained_now(owners);
        if before.is_some() && account::passings() == before {
            return counts;
        }
        std::thread::yield_now();
    }
}

fn retained_now(owners: &[RegionId]) -> Vec<SiteCount> {
    let records = owners.iter().flat_map(|&owner| {
        let pinned = account::get(owner).into_iter().flat_map(|account| account.pinned().records());
        pinned.chain(shard::of(owner).flat_map(shard::Shard::records))
    });
    records
        .filter(|record| record.site() != 0)
        .map(|record| SiteCount {
            site: record.site(),
            retained: record.sum().live(),
            released: Amount::default(),
        })
        .collect()
}
