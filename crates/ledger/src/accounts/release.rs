//! What one region has released at one call site: blocks that it freed without owning them.
//!
//! Known noise is known on this side too, so it is kept by call site. A release stays in the list
//! of its call site and passes to another region when the first one is over.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::account::{self, Account, RegionId};
use crate::call_site::{self, SiteId};
use crate::volume::Volume;
use leakcheck_system::arena::{Arena, Zeroed};

/// The index of a release; 0 is none.
type ReleaseId = u32;

#[repr(C)]
struct Release {
    /// Generation and id of the region.
    by: AtomicU64,
    bytes: AtomicU64,
    blocks: AtomicU64,
    site: AtomicU32,
    /// The next release at the same call site.
    next: AtomicU32,
}

// SAFETY: the fields are atomic integers.
unsafe impl Zeroed for Release {}

static RELEASES: Arena<Release> = Arena::new(8);

/// The region of a release that is passing from one to another.
const BETWEEN: u64 = u64::MAX;

/// Counts a block that a region freed at a call site.
pub(crate) fn count(region: RegionId, account: &Account, site: SiteId, size: u64) {
    let Some(entry) = call_site::get(site) else { return };
    let by = region_word(region, account.generation());
    if let Some(release) = find(by, entry.releases()).or_else(|| add(by, site, entry.releases())) {
        release.bytes.fetch_add(size, Ordering::Relaxed);
        release.blocks.fetch_add(1, Ordering::Relaxed);
    }
}

fn find(by: u64, releases: &AtomicU32) -> Option<&'static Release> {
    let mut id: ReleaseId = releases.load(Ordering::Acquire);
    while let Some(release) = RELEASES.get(id) {
        if release.by.load(Ordering::Acquire) == by || release.take_over(by) {
            return Some(release);
        }
        id = release.next.load(Ordering::Acquire);
    }
    None
}

/// `None` when memory is used up: the region's totals stay exact, only the split by call site
/// misses a block.
fn add(by: u64, site: SiteId, releases: &AtomicU32) -> Option<&'static Release> {
    let id = RELEASES.push()?;
    let release = RELEASES.get(id)?;
    release.site.store(site, Ordering::Relaxed);
    release.by.store(by, Ordering::Relaxed);
    let mut head = releases.load(Ordering::Relaxed);
    loop {
        release.next.store(head, Ordering::Relaxed);
        // Two threads of one region may each add one for the same call site: a reading adds them
        // up.
        match releases.compare_exchange_weak(head, id, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => return Some(release),
            Err(now) => head = now,
        }
    }
}

/// What a region has released, by call site; a call site may come more than once.
pub(crate) fn counts(region: RegionId) -> impl Iterator<Item = (SiteId, Volume)> {
    let by = account::get(region).map(|account| region_word(region, account.generation()));
    (1..RELEASES.end())
        .filter_map(|id| RELEASES.get(id))
        .filter(move |release| Some(release.by.load(Ordering::Acquire)) == by)
        .map(Release::amount)
}

fn region_word(region: RegionId, generation: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(region)
}

impl Release {
    /// Makes this the release of another region if the one that it belongs to is over.
    fn take_over(&self, by: u64) -> bool {
        let current = self.by.load(Ordering::Acquire);
        if current == BETWEEN {
            return false;
        }
        let over = account::get(current as u32).is_none_or(|account| {
            account.generation() != (current >> 32) as u32 || account.is_over()
        });
        let passes = over
            && self
                .by
                .compare_exchange(current, BETWEEN, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok();
        if passes {
            // Nobody else counts here now: the old region is over and the new one does not find it
            // yet.
            self.bytes.store(0, Ordering::Relaxed);
            self.blocks.store(0, Ordering::Relaxed);
            self.by.store(by, Ordering::Release);
        }
        passes
    }

    fn amount(&self) -> (SiteId, Volume) {
        let amount = Volume {
            bytes: self.bytes.load(Ordering::Relaxed),
            blocks: self.blocks.load(Ordering::Relaxed),
        };
        (self.site.load(Ordering::Relaxed), amount)
    }
}
