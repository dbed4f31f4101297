//! What one region owns from one call site.
//!
//! A block names its record, so that a free finds it without a search. A record stays in the list
//! of its call site and passes to another region when nothing of the first one can reach it any
//! more.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::account::{self, RegionId};
use crate::arena::{Arena, Zeroed};
use crate::measurement::Amount;
use crate::stack::site::{self, SiteId};

/// The index of a record; 0 is "no record", of blocks whose call site is unknown.
pub(crate) type RecordId = u32;

#[repr(C)]
pub(crate) struct Record {
    /// Generation and id of the region.
    owner: AtomicU64,
    allocated_bytes: AtomicU64,
    allocated_blocks: AtomicU64,
    freed_bytes: AtomicU64,
    freed_blocks: AtomicU64,
    released_bytes: AtomicU64,
    released_blocks: AtomicU64,
    site: AtomicU32,
    /// The next record of the same call site.
    next: AtomicU32,
}

// SAFETY: the fields are atomic integers.
unsafe impl Zeroed for Record {}

static RECORDS: Arena<Record> = Arena::new(8);

/// The owner of a record that is passing from one region to another.
const BETWEEN: u64 = u64::MAX;

/// What one call site has come to in one region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SiteCount {
    pub(crate) site: SiteId,
    /// What was allocated there and is still live.
    pub(crate) retained: Amount,
    /// What was freed there without being the region's own.
    pub(crate) released: Amount,
}

#[inline(always)]
pub(crate) fn get(id: RecordId) -> Option<&'static Record> {
    RECORDS.get(id)
}

/// The record of a region at a call site, made when there is none. 0 when memory is used up: the
/// region's totals stay exact, only the split by call site misses the block.
pub(crate) fn find_or_add(region: RegionId, site: SiteId) -> RecordId {
    let (Some(account), Some(entry)) = (account::get(region), site::get(site)) else { return 0 };
    let owner = owner_word(region, account.generation());
    let records = entry.records();
    let mut id = records.load(Ordering::Acquire);
    while let Some(record) = get(id) {
        if record.owner.load(Ordering::Acquire) == owner || record.take_over(owner) {
            return id;
        }
        id = record.next.load(Ordering::Acquire);
    }
    add(owner, site, records)
}

fn add(owner: u64, site: SiteId, records: &AtomicU32) -> RecordId {
    let Some(id) = RECORDS.push() else { return 0 };
    let Some(record) = get(id) else { return 0 };
    record.site.store(site, Ordering::Relaxed);
    record.owner.store(owner, Ordering::Relaxed);
    let mut head = records.load(Ordering::Relaxed);
    loop {
        record.next.store(head, Ordering::Relaxed);
        // Two threads of one region may each add a record for the same call site: a reading adds
        // them up.
        match records.compare_exchange_weak(head, id, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => return id,
            Err(now) => head = now,
        }
    }
}

/// What the given regions retain and have released, by call site.
pub(crate) fn counts(regions: &[RegionId]) -> Vec<SiteCount> {
    let owners: Vec<u64> = regions
        .iter()
        .filter_map(|&id| account::get(id).map(|account| owner_word(id, account.generation())))
        .collect();
    let mut counts: Vec<SiteCount> = (1..RECORDS.end())
        .filter_map(get)
        .filter(|record| owners.contains(&record.owner.load(Ordering::Acquire)))
        .map(Record::count)
        .filter(|count| count.retained.blocks > 0 || count.released.blocks > 0)
        .collect();
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

fn owner_word(region: RegionId, generation: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(region)
}

impl Record {
    /// Makes this the record of another region if nothing can reach it for the one that it belongs
    /// to.
    fn take_over(&self, owner: u64) -> bool {
        let current = self.owner.load(Ordering::Acquire);
        let current_generation = (current >> 32) as u32;
        if current == BETWEEN {
            return false;
        }
        let gone = account::get(current as u32)
            .is_none_or(|account| account.generation() != current_generation || account.is_idle());
        if !gone
            || self
                .owner
                .compare_exchange(current, BETWEEN, Ordering::AcqRel, Ordering::Relaxed)
                .is_err()
        {
            return false;
        }
        // Nobody else counts here now: the old region is gone and the new one does not find it yet.
        for counter in [
            &self.allocated_bytes,
            &self.allocated_blocks,
            &self.freed_bytes,
            &self.freed_blocks,
            &self.released_bytes,
            &self.released_blocks,
        ] {
            counter.store(0, Ordering::Relaxed);
        }
        self.owner.store(owner, Ordering::Release);
        true
    }

    pub(crate) fn count_allocated(&self, size: u64) {
        self.allocated_bytes.fetch_add(size, Ordering::Relaxed);
        self.allocated_blocks.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_freed(&self, size: u64) {
        self.freed_bytes.fetch_add(size, Ordering::Relaxed);
        self.freed_blocks.fetch_add(1, Ordering::Release);
    }

    /// A block that is not the region's own was freed here.
    pub(crate) fn count_released(&self, size: u64) {
        self.released_bytes.fetch_add(size, Ordering::Relaxed);
        self.released_blocks.fetch_add(1, Ordering::Relaxed);
    }

    /// A block of this record changes its size where it is.
    pub(crate) fn count_resized(&self, old: u64, new: u64) {
        if new >= old {
            self.allocated_bytes.fetch_add(new - old, Ordering::Relaxed);
        } else {
            self.freed_bytes.fetch_add(old - new, Ordering::Relaxed);
        }
    }

    fn count(&self) -> SiteCount {
        let freed_bytes = self.freed_bytes.load(Ordering::Acquire);
        let freed_blocks = self.freed_blocks.load(Ordering::Acquire);
        let allocated_bytes = self.allocated_bytes.load(Ordering::Relaxed);
        let allocated_blocks = self.allocated_blocks.load(Ordering::Relaxed);
        SiteCount {
            site: self.site.load(Ordering::Relaxed),
            retained: Amount {
                bytes: allocated_bytes.saturating_sub(freed_bytes),
                blocks: allocated_blocks.saturating_sub(freed_blocks),
            },
            released: Amount {
                bytes: self.released_bytes.load(Ordering::Relaxed),
                blocks: self.released_blocks.load(Ordering::Relaxed),
            },
        }
    }
}
