//! The account of a region: what it owns and has done.
//!
//! Every region has an account, and the record of a block contains the account of its owner. The
//! threads of the region keep its figures in shards, and the account adds them up.
//!
//! An account is reused when its region is closed, none of its blocks is live, and no thread,
//! context or inner region refers to it. A block that outlives its region therefore never changes
//! the figures of a later one.

use std::sync::MutexGuard;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use leakcheck_system::arena::{Arena, Zeroed};
use leakcheck_system::fork::{ForkMutex, in_child};

use super::record::{Chunks, Sum};
use super::shard::{self, VacantShards};
use crate::totals::Totals;

/// The index of a region's account, 0 for no region.
pub type RegionId = u32;

/// Available for a new region.
const FREE: u32 = 0;
const OPEN: u32 = 1;
const CLOSED: u32 = 2;
/// Closed and unreferenced. A thread is recycling its shards.
const CLEARING: u32 = 3;
/// Cleared, except for records of blocks that are still live.
const PINNED: u32 = 4;

/// The account of one region.
#[repr(C, align(128))]
pub struct Account {
    state: AtomicU32,
    parent: AtomicU32,
    generation: AtomicU32,
    /// The number of threads, contexts and inner regions that may still charge allocations to the
    /// account.
    references: AtomicU32,
    /// The live bytes that shards have flushed, including those of inner regions.
    live: AtomicI64,
    peak: AtomicI64,
    inner: Inner,
    released_bytes: AtomicU64,
    released_blocks: AtomicU64,
    /// The records of blocks that outlived the region.
    pinned: Chunks,
    /// The number of shards that the region has had.
    shards: AtomicU32,
    vacant_shards: VacantShards,
}

/// The events of inner regions, which count for this one too.
#[repr(C)]
struct Inner {
    allocated_bytes: AtomicU64,
    allocated_blocks: AtomicU64,
    freed_bytes: AtomicU64,
    freed_blocks: AtomicU64,
    reallocations: AtomicU64,
    reallocated_bytes: AtomicI64,
}

// SAFETY: all fields are atomic integers, for which zero is valid and which need no drop.
unsafe impl Zeroed for Account {}

static ACCOUNTS: Arena<Account> = Arena::new(6);

/// Serializes the opening of regions, which searches for a free account. The allocator's path never
/// takes it.
static OPENING: ForkMutex<Cursor> = ForkMutex::new(40, Cursor { next: 1 });

/// The number of transfers of records from shards to accounts that have begun and finished. A
/// thread that adds up records during a transfer may miss some.
static TRANSFERS_BEGUN: AtomicU64 = AtomicU64::new(0);
static TRANSFERS_DONE: AtomicU64 = AtomicU64::new(0);

/// The account at which the next search for a free one begins.
struct Cursor {
    next: RegionId,
}

/// The number of accounts to examine before a new one is appended. The bound keeps each opening
/// cheap in a suite of ten thousand tests that all retain memory.
const MAX_SEARCH: u32 = 64;

/// The counters of an account at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub allocated_bytes: u64,
    pub allocated_blocks: u64,
    pub freed_bytes: u64,
    pub freed_blocks: u64,
    pub released_bytes: u64,
    pub released_blocks: u64,
    pub peak_bytes: u64,
    pub reallocations: u64,
    pub reallocated_bytes: i64,
}

/// Returns the account of a region, `None` for 0.
#[inline(always)]
pub fn get(id: RegionId) -> Option<&'static Account> {
    ACCOUNTS.get(id)
}

fn cursor() -> MutexGuard<'static, Cursor> {
    in_child(abandon_transfers);
    OPENING.lock()
}

/// Opens an account inside `parent`, which is 0 for an outermost region. Returns `None` if memory
/// is exhausted.
pub fn open(parent: RegionId) -> Option<RegionId> {
    let mut cursor = cursor();
    let id = match find_free(&mut cursor) {
        Some(id) => id,
        None => ACCOUNTS.push()?,
    };
    let account = get(id)?;
    if let Some(parent) = get(parent) {
        parent.add_reference();
    }
    account.reset(parent);
    Some(id)
}

fn find_free(cursor: &mut Cursor) -> Option<RegionId> {
    let end = ACCOUNTS.end();
    for _ in 0..MAX_SEARCH.min(end - 1) {
        let id = cursor.next;
        cursor.next = if id + 1 < end { id + 1 } else { 1 };
        if get(id)?.try_reclaim() {
            return Some(id);
        }
    }
    None
}

/// Returns the regions inside `id`, at any depth, that may own live blocks.
pub fn inner_regions(id: RegionId) -> Vec<RegionId> {
    let in_use = |account: &Account| account.state.load(Ordering::Acquire) != FREE;
    (1..ACCOUNTS.end())
        .filter(|&inner| inner != id && get(inner).is_some_and(in_use) && is_inside(inner, id))
        .collect()
}

/// Returns whether `inner` is `outer` or inside of it.
pub fn is_inside(mut inner: RegionId, outer: RegionId) -> bool {
    while let Some(account) = get(inner) {
        if inner == outer {
            return true;
        }
        inner = account.parent();
    }
    false
}

/// Returns the number of finished transfers of records, `None` during one. Records that were read
/// between two calls with the same result are complete.
pub fn transfers() -> Option<u64> {
    let done = TRANSFERS_DONE.load(Ordering::Acquire);
    (TRANSFERS_BEGUN.load(Ordering::Acquire) == done).then_some(done)
}

/// Counts all transfers as finished. It runs in the child of a fork, in which the threads that
/// began them do not exist.
#[cfg(unix)]
fn abandon_transfers() {
    TRANSFERS_DONE.store(TRANSFERS_BEGUN.load(Ordering::Acquire), Ordering::Release);
}

impl Account {
    fn reset(&self, parent: RegionId) {
        for counter in [
            &self.inner.allocated_bytes,
            &self.inner.allocated_blocks,
            &self.inner.freed_bytes,
            &self.inner.freed_blocks,
            &self.inner.reallocations,
            &self.released_bytes,
            &self.released_blocks,
        ] {
            counter.store(0, Ordering::Relaxed);
        }
        for counter in [&self.live, &self.peak, &self.inner.reallocated_bytes] {
            counter.store(0, Ordering::Relaxed);
        }
        self.shards.store(0, Ordering::Relaxed);
        self.parent.store(parent, Ordering::Relaxed);
        self.generation.fetch_add(1, Ordering::Relaxed);
        self.state.store(OPEN, Ordering::Release);
    }

    /// Closes the region.
    pub fn close(&self) {
        self.state.store(CLOSED, Ordering::SeqCst);
        self.clear_if_unreferenced();
    }

    /// Returns whether the region is open.
    pub fn is_open(&self) -> bool {
        self.state.load(Ordering::SeqCst) == OPEN
    }

    /// Returns the region around this one, 0 if it is outermost.
    pub fn parent(&self) -> RegionId {
        self.parent.load(Ordering::Relaxed)
    }

    /// Returns a number that distinguishes this use of the account from earlier and later ones.
    pub fn generation(&self) -> u32 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Adds a reference for a thread, context or inner region that may charge allocations to the
    /// account.
    pub fn add_reference(&self) {
        self.references.fetch_add(1, Ordering::SeqCst);
    }

    /// Removes a reference added by [`add_reference`](Self::add_reference).
    pub fn remove_reference(&self) {
        if self.references.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.clear_if_unreferenced();
        }
    }

    /// Recycles the shards of a region that is closed and unreferenced.
    fn clear_if_unreferenced(&self) {
        let clears = self.references.load(Ordering::SeqCst) == 0
            && self
                .state
                .compare_exchange(CLOSED, CLEARING, Ordering::SeqCst, Ordering::Relaxed)
                .is_ok();
        if !clears {
            return;
        }
        TRANSFERS_BEGUN.fetch_add(1, Ordering::AcqRel);
        shard::recycle(&self.vacant_shards, &self.pinned);
        TRANSFERS_DONE.fetch_add(1, Ordering::AcqRel);
        if self.pinned.is_empty() {
            self.free();
        } else {
            self.state.store(PINNED, Ordering::Release);
        }
    }

    /// Makes the account available for a new region and removes the reference to its parent.
    fn free(&self) {
        let parent = self.parent.swap(0, Ordering::AcqRel);
        self.state.store(FREE, Ordering::Release);
        if let Some(account) = get(parent) {
            account.remove_reference();
        }
    }

    /// Returns whether the account is free, after freeing it if its last live block is gone. The
    /// caller must hold [`OPENING`].
    fn try_reclaim(&self) -> bool {
        if self.state.load(Ordering::Acquire) == PINNED && self.pinned.are_idle() {
            self.pinned.recycle(&self.pinned);
            self.free();
        }
        self.is_free()
    }

    /// Returns whether the region is closed and none of its blocks is live.
    pub(crate) fn is_free(&self) -> bool {
        self.state.load(Ordering::Acquire) == FREE
    }

    /// Returns the live bytes that shards have flushed.
    pub(crate) fn live_bytes(&self) -> i64 {
        self.live.load(Ordering::Relaxed)
    }

    /// Adds to the live bytes and returns the sum.
    pub(crate) fn add_live(&self, bytes: i64) -> i64 {
        self.live.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    /// Raises the peak to `live` if that is higher.
    pub(crate) fn raise_peak(&self, live: i64) {
        if live > self.peak.load(Ordering::Relaxed) {
            self.peak.fetch_max(live, Ordering::Relaxed);
        }
    }

    /// Counts a block that an inner region allocated.
    pub(crate) fn count_inner_allocated(&self, size: u64) {
        self.inner.allocated_bytes.fetch_add(size, Ordering::Relaxed);
        self.inner.allocated_blocks.fetch_add(1, Ordering::Relaxed);
        self.raise_peak(self.add_live(size as i64));
    }

    /// Counts a block of an inner region that was freed.
    pub(crate) fn count_inner_freed(&self, size: u64) {
        self.inner.freed_bytes.fetch_add(size, Ordering::Relaxed);
        self.inner.freed_blocks.fetch_add(1, Ordering::Relaxed);
        self.add_live(-(size as i64));
    }

    /// Counts a block of an inner region that was resized.
    pub(crate) fn count_inner_resized(&self, old: u64, new: u64) {
        self.inner.reallocations.fetch_add(1, Ordering::Relaxed);
        let change = new as i64 - old as i64;
        self.inner.reallocated_bytes.fetch_add(change, Ordering::Relaxed);
        if new >= old {
            self.inner.allocated_bytes.fetch_add(new - old, Ordering::Relaxed);
        } else {
            self.inner.freed_bytes.fetch_add(old - new, Ordering::Relaxed);
        }
        self.raise_peak(self.add_live(change));
    }

    /// Counts a block of this region that a thread in no region resized. Its record counts the
    /// bytes.
    pub(crate) fn count_resized_elsewhere(&self, old: u64, new: u64) {
        let change = new as i64 - old as i64;
        self.inner.reallocations.fetch_add(1, Ordering::Relaxed);
        self.inner.reallocated_bytes.fetch_add(change, Ordering::Relaxed);
        self.raise_peak(self.add_live(change));
    }

    /// Counts a block that the region freed without owning it.
    pub(crate) fn count_released(&self, size: u64) {
        self.released_bytes.fetch_add(size, Ordering::Relaxed);
        self.released_blocks.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn vacant_shards(&self) -> &VacantShards {
        &self.vacant_shards
    }

    /// Counts a new shard, and returns how many the region had before.
    pub(crate) fn count_shard(&self) -> u32 {
        self.shards.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn pinned(&self) -> &Chunks {
        &self.pinned
    }

    /// Returns the live and the peak bytes of the region and those inside it. This is cheaper than
    /// [`counts`](Self::counts), for frequent polling, and may count the bytes of a concurrent
    /// flush twice. `id` is the account's own.
    pub fn live_and_peak_bytes(&self, id: RegionId) -> (u64, u64) {
        let live = shard::of_region(id)
            .fold(self.live_bytes(), |live, shard| live + shard.unflushed_bytes());
        let peak = self.peak.load(Ordering::Relaxed);
        (live.max(0) as u64, peak.max(0) as u64)
    }

    /// Returns the figures of the region and those inside it. `id` is the account's own.
    pub fn counts(&self, id: RegionId) -> Counts {
        let mut sum = Sum {
            freed_bytes: self.inner.freed_bytes.load(Ordering::Acquire),
            freed_blocks: self.inner.freed_blocks.load(Ordering::Acquire),
            allocated_bytes: self.inner.allocated_bytes.load(Ordering::Acquire),
            allocated_blocks: self.inner.allocated_blocks.load(Ordering::Acquire),
        };
        let mut reallocations = self.inner.reallocations.load(Ordering::Relaxed);
        let mut reallocated_bytes = self.inner.reallocated_bytes.load(Ordering::Relaxed);
        let mut live = self.live_bytes();
        let peak = self.peak.load(Ordering::Relaxed);
        let mut moved = Totals::default();
        self.pinned.records().for_each(|record| sum.add(record.sum()));
        for shard in shard::of_region(id) {
            moved += shard.moved();
            shard.records().for_each(|record| sum.add(record.sum()));
            let (count, bytes) = shard.reallocations();
            reallocations += count;
            reallocated_bytes += bytes;
            live += shard.unflushed_bytes();
        }
        Counts {
            allocated_bytes: sum.allocated_bytes.saturating_sub(moved.bytes),
            allocated_blocks: sum.allocated_blocks.saturating_sub(moved.blocks),
            freed_bytes: sum.freed_bytes.saturating_sub(moved.bytes),
            freed_blocks: sum.freed_blocks.saturating_sub(moved.blocks),
            released_bytes: self.released_bytes.load(Ordering::Relaxed),
            released_blocks: self.released_blocks.load(Ordering::Relaxed),
            peak_bytes: peak.max(live).max(0) as u64,
            reallocations,
            reallocated_bytes,
        }
    }
}

impl Counts {
    /// Returns the bytes that are allocated and not freed.
    pub fn live_bytes(&self) -> u64 {
        self.allocated_bytes.saturating_sub(self.freed_bytes)
    }

    /// Returns the blocks that are allocated and not freed.
    pub fn live_blocks(&self) -> u64 {
        self.allocated_blocks.saturating_sub(self.freed_blocks)
    }
}
