//! A record: what one thread has allocated for one region at one call site.
//!
//! A block's tag points to its record, so a free finds it without a search. The owning thread
//! updates the figures of a record without a lock. Frees by other threads are counted separately.

use std::mem::offset_of;
use std::ptr::from_ref;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use leakcheck_system::arena::Zeroed;
use leakcheck_system::counter::{LocalCounter, LocalTotals};
use leakcheck_system::pool::{Pool, PoolEntry};

use super::account::RegionId;
use super::shard::Shard;
use crate::call_site::{MAX_SITES, SiteId};
use crate::totals::Totals;

/// A record, which occupies one cache line.
#[repr(C, align(64))]
pub(crate) struct Record {
    allocated: LocalTotals,
    freed: LocalTotals,
    /// The bytes freed by threads other than the owning one. It is negative if they made blocks
    /// larger.
    freed_elsewhere_bytes: AtomicI64,
    freed_elsewhere_blocks: AtomicU64,
    /// The address of the shard to which the record belongs, 0 after it was recycled.
    shard: LocalCounter,
    owner: AtomicU32,
    /// The call site, with [`SAMPLE`] set if the record only counts sampled blocks.
    site: AtomicU32,
}

const _: () = {
    assert!(size_of::<Record>() == 64);
    let bytes = offset_of!(Record, freed_elsewhere_bytes);
    assert!(offset_of!(Record, freed_elsewhere_blocks) == bytes + 8);
};

/// A flag in the call site of a record. No call site has an id with this bit.
const SAMPLE: SiteId = 1 << 31;
const _: () = assert!(MAX_SITES < SAMPLE);

/// The sum of the figures of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) allocated_bytes: u64,
    pub(crate) allocated_blocks: u64,
    pub(crate) freed_bytes: u64,
    pub(crate) freed_blocks: u64,
}

#[cfg(asm_hot_path)]
impl Record {
    pub(crate) const ALLOCATED_AT: usize = offset_of!(Self, allocated);
    pub(crate) const FREED_AT: usize = offset_of!(Self, freed);
    pub(crate) const SHARD_AT: usize = offset_of!(Self, shard);
    pub(crate) const OWNER_AT: usize = offset_of!(Self, owner);
    /// The offset of the bytes, which the blocks follow.
    pub(crate) const FREED_ELSEWHERE_AT: usize = offset_of!(Self, freed_elsewhere_bytes);
}

impl Record {
    /// Returns whether the record belongs to a shard, so that its thread may update it.
    #[inline(always)]
    pub(crate) fn belongs_to(&self, shard: *const Shard) -> bool {
        self.shard.get() == shard as u64
    }

    /// Returns the region that owns the blocks.
    pub(crate) fn owner(&self) -> RegionId {
        self.owner.load(Ordering::Relaxed)
    }

    /// Returns the call site, 0 if it is unknown.
    pub(crate) fn site(&self) -> SiteId {
        self.site.load(Ordering::Relaxed) & !SAMPLE
    }

    /// Returns whether the record only counts sampled blocks. The record of blocks without a call
    /// site counts the others.
    pub(crate) fn is_sample(&self) -> bool {
        self.site.load(Ordering::Relaxed) & SAMPLE != 0
    }

    /// Counts an allocated block. Only the owning thread may call this.
    #[inline(always)]
    pub(crate) fn count_allocated(&self, size: u64) {
        self.allocated.count(size);
    }

    /// Counts a freed block. Only the owning thread may call this.
    #[inline(always)]
    pub(crate) fn count_freed(&self, size: u64) {
        self.freed.count(size);
    }

    /// Counts a resized block that stays in the record. Only the owning thread may call this.
    pub(crate) fn count_resized(&self, old: u64, new: u64) {
        if new >= old {
            self.allocated.bytes.add(new - old);
        } else {
            self.freed.bytes.add(old - new);
        }
    }

    /// Counts a block that a thread other than the owning one frees. The number of blocks is the
    /// last thing that a free updates, because the record may be reused from then on.
    pub(crate) fn count_freed_elsewhere(&self, size: u64) {
        self.freed_elsewhere_bytes.fetch_add(size as i64, Ordering::Relaxed);
        self.freed_elsewhere_blocks.fetch_add(1, Ordering::Release);
    }

    /// Counts a block that a thread other than the owning one resizes.
    pub(crate) fn count_resized_elsewhere(&self, old: u64, new: u64) {
        self.freed_elsewhere_bytes.fetch_add(old as i64 - new as i64, Ordering::Relaxed);
    }

    /// Returns the figures. The freed blocks are read first, so that a block that is freed during
    /// the reading counts as live and the live blocks are never negative.
    pub(crate) fn sum(&self) -> Sum {
        let elsewhere_bytes = self.freed_elsewhere_bytes.load(Ordering::Acquire);
        let elsewhere_blocks = self.freed_elsewhere_blocks.load(Ordering::Acquire);
        let freed_bytes = self.freed.bytes.as_atomic().load(Ordering::Acquire);
        let freed_blocks = self.freed.blocks.as_atomic().load(Ordering::Acquire);
        Sum {
            freed_bytes: freed_bytes + elsewhere_bytes.max(0) as u64,
            freed_blocks: freed_blocks + elsewhere_blocks,
            allocated_bytes: self.allocated.bytes.get() + (-elsewhere_bytes).max(0) as u64,
            allocated_blocks: self.allocated.blocks.get(),
        }
    }

    fn is_idle(&self) -> bool {
        let sum = self.sum();
        sum.freed_blocks == sum.allocated_blocks
    }

    fn reset(&self, shard: &Shard, owner: RegionId, site: SiteId, is_sample: bool) {
        for tally in [&self.allocated, &self.freed] {
            tally.bytes.set(0);
            tally.blocks.set(0);
        }
        self.freed_elsewhere_bytes.store(0, Ordering::Relaxed);
        self.freed_elsewhere_blocks.store(0, Ordering::Relaxed);
        self.owner.store(owner, Ordering::Relaxed);
        let site = if is_sample { site | SAMPLE } else { site };
        self.site.store(site, Ordering::Relaxed);
        self.shard.set(from_ref(shard).addr() as u64);
    }
}

impl Sum {
    pub(crate) fn add(&mut self, other: Self) {
        self.allocated_bytes += other.allocated_bytes;
        self.allocated_blocks += other.allocated_blocks;
        self.freed_bytes += other.freed_bytes;
        self.freed_blocks += other.freed_blocks;
    }

    /// Returns what is allocated and not freed.
    pub(crate) fn live(&self) -> Totals {
        Totals {
            bytes: self.allocated_bytes.saturating_sub(self.freed_bytes),
            blocks: self.allocated_blocks.saturating_sub(self.freed_blocks),
        }
    }
}

/// The index of a chunk, 0 for none.
type ChunkId = u32;

const RECORDS: u32 = 7;

/// Records that are allocated and recycled together. A chunk takes 512 bytes.
#[repr(C, align(64))]
struct Chunk {
    /// The next chunk of the list or of the pool's free list.
    next: AtomicU32,
    used: AtomicU32,
    records: [Record; RECORDS as usize],
}

const _: () = assert!(size_of::<Chunk>() == 512);

// SAFETY: all fields are atomic integers and counters, for which zero is valid and which need no
// drop.
unsafe impl Zeroed for Chunk {}

impl PoolEntry for Chunk {
    fn next_free(&self) -> u32 {
        self.next.load(Ordering::Relaxed)
    }

    fn set_next_free(&self, index: u32) {
        self.next.store(index, Ordering::Relaxed);
    }
}

static CHUNKS: Pool<Chunk> = Pool::new(7);

/// A list of chunks. One thread at a time may add to it, and any thread may read it.
#[repr(transparent)]
pub(crate) struct Chunks(AtomicU32);

impl Chunks {
    /// Adds a record. Returns `None` if memory is exhausted.
    pub(crate) fn add(
        &self,
        shard: &Shard,
        owner: RegionId,
        site: SiteId,
        is_sample: bool,
    ) -> Option<&'static Record> {
        let first = CHUNKS.get(self.0.load(Ordering::Relaxed));
        let chunk = match first.filter(|chunk| chunk.used.load(Ordering::Relaxed) < RECORDS) {
            Some(chunk) => chunk,
            None => {
                let (id, chunk) = CHUNKS.allocate()?;
                chunk.used.store(0, Ordering::Relaxed);
                chunk.next.store(self.0.load(Ordering::Relaxed), Ordering::Relaxed);
                self.0.store(id, Ordering::Release);
                chunk
            }
        };
        let index = chunk.used.load(Ordering::Relaxed);
        let record = chunk.records.get(index as usize)?;
        record.reset(shard, owner, site, is_sample);
        chunk.used.store(index + 1, Ordering::Release);
        Some(record)
    }

    /// Returns an iterator over the records of the list, newest first. New call sites have
    /// ascending ids, so the records of a shard are mostly sorted by call site, which makes sorting
    /// them fast.
    pub(crate) fn records(&self) -> impl Iterator<Item = &'static Record> {
        self.chunks().flat_map(|(_, chunk)| {
            let used = chunk.used.load(Ordering::Acquire) as usize;
            chunk.records.iter().take(used).rev()
        })
    }

    fn chunks(&self) -> impl Iterator<Item = (ChunkId, &'static Chunk)> {
        let mut id = self.0.load(Ordering::Acquire);
        std::iter::from_fn(move || {
            let chunk = CHUNKS.get(id)?;
            let item = (id, chunk);
            id = chunk.next.load(Ordering::Acquire);
            Some(item)
        })
    }

    /// Empties the list, to which no thread may add any more. Chunks whose records have live blocks
    /// move to `pinned`, and the others are freed.
    pub(crate) fn recycle(&self, pinned: &Chunks) {
        let mut id = self.0.swap(0, Ordering::AcqRel);
        while let Some(chunk) = CHUNKS.get(id) {
            let next = chunk.next.load(Ordering::Relaxed);
            for record in &chunk.records {
                record.shard.set(0);
            }
            if chunk.is_idle() {
                CHUNKS.free(id);
            } else {
                chunk.next.store(pinned.0.load(Ordering::Relaxed), Ordering::Relaxed);
                pinned.0.store(id, Ordering::Release);
            }
            id = next;
        }
    }

    /// Returns whether no record of the list has live blocks.
    pub(crate) fn are_idle(&self) -> bool {
        self.chunks().all(|(_, chunk)| chunk.is_idle())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

impl Chunk {
    fn is_idle(&self) -> bool {
        let used = self.used.load(Ordering::Acquire) as usize;
        self.records.iter().take(used).all(Record::is_idle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{account, shard};

    #[test]
    fn records_come_newest_first() {
        let region = account::open(0).unwrap();
        let shard = shard::attach(region).unwrap();
        let chunks = Chunks(AtomicU32::new(0));
        let sites = 1..=100;
        assert!(sites.clone().all(|site| chunks.add(shard, region, site, false).is_some()));
        assert!(chunks.records().map(Record::site).eq(sites.rev()));
    }
}
