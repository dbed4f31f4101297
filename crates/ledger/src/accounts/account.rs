//! What one region owns and has done.
//!
//! Every region has an account, and every block's record names the account of its owner. The
//! figures are with the threads that work for the region, in [shards](super::shard); the account
//! adds them up.
//!
//! An account is used again only when its region is closed, none of its blocks is live and no
//! thread, context or inner region can work for it any more, so that a block that outlives its
//! region never touches the figures of a later one.

use std::sync::MutexGuard;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use super::record::{Chunks, Sum};
use super::shard;
use crate::volume::Volume;
use leakcheck_system::arena::{Arena, Zeroed};
use leakcheck_system::fork::{ForkMutex, in_child};

/// The index of an account; 0 is "no region".
pub type RegionId = u32;

const FREE: u32 = 0;
const OPEN: u32 = 1;
const CLOSED: u32 = 2;
/// Closed, and nobody can work for it any more: it is being cleared.
const CLEARING: u32 = 3;
/// Cleared, but for the records of blocks that are still live.
const PINNED: u32 = 4;

#[repr(C, align(128))]
pub struct Account {
    state: AtomicU32,
    parent: AtomicU32,
    generation: AtomicU32,
    /// Threads, contexts and inner regions that can still bring allocations here.
    references: AtomicU32,
    /// Live bytes as far as the shards have told, those of inner regions included.
    live: AtomicI64,
    peak: AtomicI64,
    inner: Inner,
    released_bytes: AtomicU64,
    released_blocks: AtomicU64,
    /// Records of blocks that outlived the region.
    pinned: Chunks,
}

/// Events of inner regions, which count here too.
#[repr(C)]
struct Inner {
    allocated_bytes: AtomicU64,
    allocated_blocks: AtomicU64,
    freed_bytes: AtomicU64,
    freed_blocks: AtomicU64,
    reallocations: AtomicU64,
    reallocated_bytes: AtomicI64,
}

// SAFETY: the fields are atomic integers.
unsafe impl Zeroed for Account {}

static ACCOUNTS: Arena<Account> = Arena::new(6);
/// Serialises openings, which look for an account to use again. Never taken on an allocator's path.
static OPENING: ForkMutex<Cursor> = ForkMutex::new(40, Cursor { next: 1 });

/// Records are passing from shards to accounts, begun and done: who adds records up meanwhile may
/// miss some.
static TRANSFERS_BEGUN: AtomicU64 = AtomicU64::new(0);
static TRANSFERS_DONE: AtomicU64 = AtomicU64::new(0);

/// Where the search for an account to use again goes on.
pub struct Cursor {
    next: RegionId,
}

/// How many accounts an opening looks at before it takes a new one: bounded, so that a suite in
/// which ten thousand tests retain something does not pay for all of them at every opening.
const LOOK_AT: u32 = 64;

/// A reading of an account's counters.
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

/// The account of a region, `None` for "no region".
#[inline(always)]
pub fn get(id: RegionId) -> Option<&'static Account> {
    ACCOUNTS.get(id)
}

fn cursor() -> MutexGuard<'static, Cursor> {
    in_child(abandon_transfers);
    OPENING.lock()
}

/// Opens an account under `parent` (0 for none). `None` when there is no memory for another one.
pub fn open(parent: RegionId) -> Option<RegionId> {
    let mut cursor = cursor();
    let id = match reusable(&mut cursor) {
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

fn reusable(cursor: &mut Cursor) -> Option<RegionId> {
    let end = ACCOUNTS.end();
    for _ in 0..LOOK_AT.min(end - 1) {
        let id = cursor.next;
        cursor.next = if id + 1 < end { id + 1 } else { 1 };
        if get(id)?.is_idle() {
            return Some(id);
        }
    }
    None
}

/// The regions that were opened inside `id`, however deep, and can still own live blocks.
pub fn inner_regions(id: RegionId) -> Vec<RegionId> {
    let in_use = |account: &Account| account.state.load(Ordering::Acquire) != FREE;
    (1..ACCOUNTS.end())
        .filter(|&inner| inner != id && get(inner).is_some_and(in_use) && is_inside(inner, id))
        .collect()
}

/// Whether `inner` is `outer` or was opened inside it.
pub fn is_inside(mut inner: RegionId, outer: RegionId) -> bool {
    while let Some(account) = get(inner) {
        if inner == outer {
            return true;
        }
        inner = account.parent();
    }
    false
}

/// Tells a reading of records that was complete from one that may have missed some.
pub fn transfers() -> Option<u64> {
    let done = TRANSFERS_DONE.load(Ordering::Acquire);
    (TRANSFERS_BEGUN.load(Ordering::Acquire) == done).then_some(done)
}

/// To be called in the child of a fork: the threads that were about to finish transfers are not there.
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
        self.parent.store(parent, Ordering::Relaxed);
        self.generation.fetch_add(1, Ordering::Relaxed);
        self.state.store(OPEN, Ordering::Release);
    }

    pub fn close(&self, id: RegionId) {
        self.state.store(CLOSED, Ordering::SeqCst);
        self.clear_if_over(id);
    }

    pub fn is_open(&self) -> bool {
        self.state.load(Ordering::SeqCst) == OPEN
    }

    pub fn parent(&self) -> RegionId {
        self.parent.load(Ordering::Relaxed)
    }

    /// Tells this opening of the account from the earlier and later ones.
    pub fn generation(&self) -> u32 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Announces a thread, context or inner region that can bring allocations here.
    pub fn add_reference(&self) {
        self.references.fetch_add(1, Ordering::SeqCst);
    }

    /// The opposite of [`add_reference`](Self::add_reference); `id` is the account's own.
    pub fn remove_reference(&self, id: RegionId) {
        if self.references.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.clear_if_over(id);
        }
    }

    /// Gives back what the shards of a region hold when it is closed and nobody can work for it any
    /// more.
    fn clear_if_over(&self, id: RegionId) {
        let over = self.references.load(Ordering::SeqCst) == 0
            && self
                .state
                .compare_exchange(CLOSED, CLEARING, Ordering::SeqCst, Ordering::Relaxed)
                .is_ok();
        if !over {
            return;
        }
        TRANSFERS_BEGUN.fetch_add(1, Ordering::AcqRel);
        shard::let_go(id, &self.pinned);
        TRANSFERS_DONE.fetch_add(1, Ordering::AcqRel);
        if self.pinned.is_empty() {
            self.free();
        } else {
            self.state.store(PINNED, Ordering::Release);
        }
    }

    /// From here on the account may be opened again; its parent is held no longer.
    fn free(&self) {
        let parent = self.parent.swap(0, Ordering::AcqRel);
        self.state.store(FREE, Ordering::Release);
        if let Some(account) = get(parent) {
            account.remove_reference(parent);
        }
    }

    /// Whether nothing can reach this account any more. For who holds the right to open.
    fn is_idle(&self) -> bool {
        if self.state.load(Ordering::Acquire) == PINNED && self.pinned.are_idle() {
            self.pinned.let_go(&self.pinned);
            self.free();
        }
        self.state.load(Ordering::Acquire) == FREE
    }

    /// Whether the region is over and none of its blocks is live.
    pub fn is_over(&self) -> bool {
        self.state.load(Ordering::Acquire) == FREE
    }

    pub fn live_bytes(&self) -> i64 {
        self.live.load(Ordering::Relaxed)
    }

    /// Adds to the live bytes and returns what they are then.
    pub fn add_live(&self, bytes: i64) -> i64 {
        self.live.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    pub fn raise_peak(&self, live: i64) {
        if live > self.peak.load(Ordering::Relaxed) {
            self.peak.fetch_max(live, Ordering::Relaxed);
        }
    }

    /// A block was allocated in an inner region.
    pub fn count_inner_allocated(&self, size: u64) {
        self.inner.allocated_bytes.fetch_add(size, Ordering::Relaxed);
        self.inner.allocated_blocks.fetch_add(1, Ordering::Relaxed);
        self.raise_peak(self.add_live(size as i64));
    }

    /// A block of an inner region was freed.
    pub fn count_inner_freed(&self, size: u64) {
        self.inner.freed_bytes.fetch_add(size, Ordering::Relaxed);
        self.inner.freed_blocks.fetch_add(1, Ordering::Relaxed);
        self.add_live(-(size as i64));
    }

    /// A block of an inner region changed its size.
    pub fn count_inner_resized(&self, old: u64, new: u64) {
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

    /// A block of the region's own changed its size on a thread that works for no region; its
    /// record has the bytes.
    pub fn count_resized_elsewhere(&self, old: u64, new: u64) {
        let change = new as i64 - old as i64;
        self.inner.reallocations.fetch_add(1, Ordering::Relaxed);
        self.inner.reallocated_bytes.fetch_add(change, Ordering::Relaxed);
        self.raise_peak(self.add_live(change));
    }

    pub fn count_released(&self, size: u64) {
        self.released_bytes.fetch_add(size, Ordering::Relaxed);
        self.released_blocks.fetch_add(1, Ordering::Relaxed);
    }

    pub fn pinned(&self) -> &Chunks {
        &self.pinned
    }

    /// Live bytes of the region and those inside it, and the most that there were: what is cheap to read
    /// for who looks often, with what a thread is just telling perhaps counted twice; `id` is the account's own.
    pub fn live_and_peak_bytes(&self, id: RegionId) -> (u64, u64) {
        let live = shard::of(id).fold(self.live_bytes(), |live, shard| live + shard.untold());
        let peak = self.peak.load(Ordering::Relaxed);
        (live.max(0) as u64, peak.max(0) as u64)
    }

    /// What the region and those inside it came to by now; `id` is the account's own.
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
        let mut moved = Volume::default();
        self.pinned.records().for_each(|record| sum.add(record.sum()));
        for shard in shard::of(id) {
            moved += shard.moved();
            shard.records().for_each(|record| sum.add(record.sum()));
            let (count, bytes) = shard.reallocations();
            reallocations += count;
            reallocated_bytes += bytes;
            live += shard.untold();
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
    pub fn live_bytes(&self) -> u64 {
        self.allocated_bytes.saturating_sub(self.freed_bytes)
    }

    pub fn live_blocks(&self) -> u64 {
        self.allocated_blocks.saturating_sub(self.freed_blocks)
    }
}
