//! What one region owns from one call site, as far as one thread allocated it.
//!
//! A block names its record, so that a free finds it without a search. The thread that a record
//! belongs to writes its figures without a lock; what other threads free is counted beside them.

use std::mem::offset_of;
use std::ptr::from_ref;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use super::account::RegionId;
use super::shard::Shard;
use crate::call_site::{MOST_SITES, SiteId};
use crate::volume::Volume;
use leakcheck_system::arena::{Arena, Zeroed};
use leakcheck_system::counter::{LocalCounter, LocalVolume};

/// One cache line.
#[repr(C, align(64))]
pub struct Record {
    allocated: LocalVolume,
    freed: LocalVolume,
    /// Freed by threads that the record does not belong to; less than nothing where they made
    /// blocks larger.
    freed_elsewhere_bytes: AtomicI64,
    freed_elsewhere_blocks: AtomicU64,
    /// The address of the shard whose thread writes here; 0 when nobody does any more.
    shard: LocalCounter,
    owner: AtomicU32,
    /// The call site, with [`SAMPLE`] where only a sample of its blocks is here.
    site: AtomicU32,
}

const _: () = {
    assert!(size_of::<Record>() == 64);
    let bytes = offset_of!(Record, freed_elsewhere_bytes);
    assert!(offset_of!(Record, freed_elsewhere_blocks) == bytes + 8);
};

/// No call site has this bit.
const SAMPLE: SiteId = 1 << 31;
const _: () = assert!(MOST_SITES < SAMPLE);

/// Sums over records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub allocated_bytes: u64,
    pub allocated_blocks: u64,
    pub freed_bytes: u64,
    pub freed_blocks: u64,
}

#[cfg(asm_hot_path)]
impl Record {
    pub(crate) const ALLOCATED_AT: usize = offset_of!(Self, allocated);
    pub(crate) const FREED_AT: usize = offset_of!(Self, freed);
    pub(crate) const SHARD_AT: usize = offset_of!(Self, shard);
    pub(crate) const OWNER_AT: usize = offset_of!(Self, owner);
    /// Bytes, and behind them blocks.
    pub(crate) const FREED_ELSEWHERE_AT: usize = offset_of!(Self, freed_elsewhere_bytes);
}

impl Record {
    #[inline(always)]
    pub fn belongs_to(&self, shard: *const Shard) -> bool {
        self.shard.get() == shard as u64
    }

    pub fn owner(&self) -> RegionId {
        self.owner.load(Ordering::Relaxed)
    }

    pub fn site(&self) -> SiteId {
        self.site.load(Ordering::Relaxed) & !SAMPLE
    }

    /// Whether other blocks of the same call site may be in the record of those without one.
    pub fn is_sample(&self) -> bool {
        self.site.load(Ordering::Relaxed) & SAMPLE != 0
    }

    /// For the thread that the record belongs to.
    #[inline(always)]
    pub fn count_allocated(&self, size: u64) {
        self.allocated.count(size);
    }

    /// For the thread that the record belongs to.
    #[inline(always)]
    pub fn count_freed(&self, size: u64) {
        self.freed.count(size);
    }

    /// For the thread that the record belongs to: a block changes its size where it is.
    pub fn count_resized(&self, old: u64, new: u64) {
        if new >= old {
            self.allocated.bytes.add(new - old);
        } else {
            self.freed.bytes.add(old - new);
        }
    }

    /// For every other thread. The count of blocks is the last thing that a free touches: from then
    /// on the record may be used again.
    pub fn count_freed_elsewhere(&self, size: u64) {
        self.freed_elsewhere_bytes.fetch_add(size as i64, Ordering::Relaxed);
        self.freed_elsewhere_blocks.fetch_add(1, Ordering::Release);
    }

    /// For every other thread: a block changes its size where it is.
    pub fn count_resized_elsewhere(&self, old: u64, new: u64) {
        self.freed_elsewhere_bytes.fetch_add(old as i64 - new as i64, Ordering::Relaxed);
    }

    /// What was freed is read first: a block freed in between is still seen as live, never as freed
    /// twice.
    pub fn sum(&self) -> Sum {
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
    pub fn add(&mut self, other: Self) {
        self.allocated_bytes += other.allocated_bytes;
        self.allocated_blocks += other.allocated_blocks;
        self.freed_bytes += other.freed_bytes;
        self.freed_blocks += other.freed_blocks;
    }

    pub fn live(&self) -> Volume {
        Volume {
            bytes: self.allocated_bytes.saturating_sub(self.freed_bytes),
            blocks: self.allocated_blocks.saturating_sub(self.freed_blocks),
        }
    }
}

/// The index of a chunk; 0 is none.
type ChunkId = u32;

const RECORDS: u32 = 15;

/// Records that are handed out, and given back, together: one KiB with its first line.
#[repr(C, align(64))]
pub struct Chunk {
    /// The next chunk of the list that this one is in.
    next: AtomicU32,
    used: AtomicU32,
    records: [Record; RECORDS as usize],
}

const _: () = assert!(size_of::<Chunk>() == 1024);

// SAFETY: the fields are atomic integers, words and pointers.
unsafe impl Zeroed for Chunk {}

static CHUNKS: Arena<Chunk> = Arena::new(6);

/// Chunks that nobody uses: the first one's index, and above it a count of changes, so that a
/// change back is not mistaken for none.
static SPARE: AtomicU64 = AtomicU64::new(0);

/// A list of chunks. One thread at a time adds to it, any may read it.
#[repr(transparent)]
pub struct Chunks(AtomicU32);

impl Chunks {
    /// A fresh record, `None` when memory is used up.
    pub fn add(
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
                let (id, chunk) = spare()?;
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

    /// All records of the list.
    pub fn records(&self) -> impl Iterator<Item = &'static Record> {
        self.chunks().flat_map(|(_, chunk)| {
            let used = chunk.used.load(Ordering::Acquire) as usize;
            chunk.records.iter().take(used)
        })
    }

    fn chunks(&self) -> impl Iterator<Item = (ChunkId, &'static Chunk)> {
        let mut id = self.0.load(Ordering::Acquire);
        std::iter::from_fn(move || {
            let chunk = CHUNKS.get(id)?;
            let this = (id, chunk);
            id = chunk.next.load(Ordering::Acquire);
            Some(this)
        })
    }

    /// Empties the list when nobody adds to it any more: chunks that live blocks name go to
    /// `pinned`, the others are spare from now on.
    pub fn let_go(&self, pinned: &Chunks) {
        let mut id = self.0.swap(0, Ordering::AcqRel);
        while let Some(chunk) = CHUNKS.get(id) {
            let next = chunk.next.load(Ordering::Relaxed);
            for record in &chunk.records {
                record.shard.set(0);
            }
            if chunk.is_idle() {
                put_by(id, chunk);
            } else {
                chunk.next.store(pinned.0.load(Ordering::Relaxed), Ordering::Relaxed);
                pinned.0.store(id, Ordering::Release);
            }
            id = next;
        }
    }

    /// Whether no live block names a record of the list.
    pub fn are_idle(&self) -> bool {
        self.chunks().all(|(_, chunk)| chunk.is_idle())
    }

    pub fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

impl Chunk {
    fn is_idle(&self) -> bool {
        let used = self.used.load(Ordering::Acquire) as usize;
        self.records.iter().take(used).all(Record::is_idle)
    }
}

fn spare() -> Option<(ChunkId, &'static Chunk)> {
    loop {
        let head = SPARE.load(Ordering::Acquire);
        let id = head as u32;
        let Some(chunk) = CHUNKS.get(id) else { break };
        let next = chunk.next.load(Ordering::Relaxed);
        if change_spare(head, next) {
            return Some((id, chunk));
        }
    }
    let id = CHUNKS.push()?;
    Some((id, CHUNKS.get(id)?))
}

fn put_by(id: ChunkId, chunk: &Chunk) {
    loop {
        let head = SPARE.load(Ordering::Acquire);
        chunk.next.store(head as u32, Ordering::Relaxed);
        if change_spare(head, id) {
            return;
        }
    }
}

fn change_spare(head: u64, to: ChunkId) -> bool {
    let changed = ((head >> 32).wrapping_add(1) << 32) | u64::from(to);
    SPARE.compare_exchange(head, changed, Ordering::AcqRel, Ordering::Relaxed).is_ok()
}
