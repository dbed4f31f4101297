//! Releases: the blocks that a region has freed without owning them, by call site.
//!
//! They are counted by call site because noise is recognized by its call site on this side too. A
//! release stays in the list of its call site, and another region reuses it when the first is gone.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use leakcheck_system::arena::{Arena, Zeroed};

use super::account::{self, Account, RegionId};
use crate::call_site::{self, SiteId};
use crate::totals::Totals;

/// The index of a release, 0 for none.
type ReleaseId = u32;

#[repr(C)]
struct Release {
    /// The generation and the id of the region, or [`REASSIGNING`].
    region_word: AtomicU64,
    bytes: AtomicU64,
    blocks: AtomicU64,
    site: AtomicU32,
    /// The next release at the same call site.
    next: AtomicU32,
}

// SAFETY: all fields are atomic integers, for which zero is valid and which need no drop.
unsafe impl Zeroed for Release {}

static RELEASES: Arena<Release> = Arena::new(8);

/// The region word of a release that is changing its region.
const REASSIGNING: u64 = u64::MAX;

/// Counts a block that a region freed at a call site without owning it.
pub(crate) fn count(region: RegionId, account: &Account, site: SiteId, size: u64) {
    let Some(site_entry) = call_site::get(site) else { return };
    let word = region_word(region, account.generation());
    let releases = site_entry.releases();
    if let Some(release) = find(word, releases).or_else(|| add(word, site, releases)) {
        release.bytes.fetch_add(size, Ordering::Relaxed);
        release.blocks.fetch_add(1, Ordering::Relaxed);
    }
}

fn find(word: u64, releases: &AtomicU32) -> Option<&'static Release> {
    let mut id: ReleaseId = releases.load(Ordering::Acquire);
    while let Some(release) = RELEASES.get(id) {
        if release.region_word.load(Ordering::Acquire) == word || release.reassign(word) {
            return Some(release);
        }
        id = release.next.load(Ordering::Acquire);
    }
    None
}

/// Adds a release to the list of a call site. Returns `None` if memory is exhausted. The totals of
/// the region are still exact then, and only the split by call site lacks a block.
fn add(word: u64, site: SiteId, releases: &AtomicU32) -> Option<&'static Release> {
    let id = RELEASES.push()?;
    let release = RELEASES.get(id)?;
    release.site.store(site, Ordering::Relaxed);
    release.region_word.store(word, Ordering::Relaxed);
    let mut head = releases.load(Ordering::Relaxed);
    loop {
        release.next.store(head, Ordering::Relaxed);
        // Two threads of one region may each add a release for the same call site. Readers add them
        // up.
        match releases.compare_exchange_weak(head, id, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => return Some(release),
            Err(now) => head = now,
        }
    }
}

/// Returns what a region has released by call site. A call site may occur more than once.
pub(crate) fn counts(region: RegionId) -> impl Iterator<Item = (SiteId, Totals)> {
    let word = account::get(region).map(|account| region_word(region, account.generation()));
    RELEASES
        .iter()
        .filter(move |release| Some(release.region_word.load(Ordering::Acquire)) == word)
        .map(Release::amount)
}

fn region_word(region: RegionId, generation: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(region)
}

impl Release {
    /// Gives the release to another region if its own is gone. Returns whether it did.
    fn reassign(&self, word: u64) -> bool {
        let current = self.region_word.load(Ordering::Acquire);
        if current == REASSIGNING {
            return false;
        }
        let is_gone = account::get(current as u32).is_none_or(|account| {
            account.generation() != (current >> 32) as u32 || account.is_free()
        });
        let reassigned = is_gone
            && self
                .region_word
                .compare_exchange(current, REASSIGNING, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok();
        if reassigned {
            // No thread counts here now, because the old region is gone and the new one does not
            // find the release before its word is stored.
            self.bytes.store(0, Ordering::Relaxed);
            self.blocks.store(0, Ordering::Relaxed);
            self.region_word.store(word, Ordering::Release);
        }
        reassigned
    }

    fn amount(&self) -> (SiteId, Totals) {
        let amount = Totals {
            bytes: self.bytes.load(Ordering::Relaxed),
            blocks: self.blocks.load(Ordering::Relaxed),
        };
        (self.site.load(Ordering::Relaxed), amount)
    }
}
