//! What one region owns and has done: the counters that its blocks are charged to.
//!
//! Every region has an account, and every block names the account of its owner. An account is used
//! again only when its region is closed, none of its blocks is live and no thread, context or inner
//! region can work for it any more, so that a block that outlives its region never touches the
//! figures of a later one.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use crate::arena::{Arena, Zeroed};

/// The index of an account; 0 is "no region".
pub(crate) type RegionId = u32;

/// The owner of leakcheck's own blocks, which no figure ever shows.
pub(crate) const OURS: RegionId = RegionId::MAX;

const FREE: u32 = 0;
const OPEN: u32 = 1;
const CLOSED: u32 = 2;

/// Aligned so that two regions, and the two directions of one region, do not share a cache line.
#[repr(C, align(128))]
pub(crate) struct Account {
    state: AtomicU32,
    parent: AtomicU32,
    generation: AtomicU32,
    /// Threads, contexts and inner regions that can still bring allocations here.
    holders: AtomicU32,
    allocated_bytes: AtomicU64,
    allocated_blocks: AtomicU64,
    peak_bytes: AtomicU64,
    reallocations: AtomicU64,
    reallocated_bytes: AtomicI64,
    _line: [u64; 1],
    freed_bytes: AtomicU64,
    freed_blocks: AtomicU64,
    released_bytes: AtomicU64,
    released_blocks: AtomicU64,
}

// SAFETY: the fields are atomic integers and padding.
unsafe impl Zeroed for Account {}

static ACCOUNTS: Arena<Account> = Arena::new(6);
/// Serialises openings, which look for an account to use again. Never taken on an allocator's path.
static OPENING: Mutex<Cursor> = Mutex::new(Cursor { next: 1 });

/// Where the search for an account to use again goes on.
pub(crate) struct Cursor {
    next: RegionId,
}

/// How many accounts an opening looks at before it takes a new one: bounded, so that a suite in
/// which ten thousand tests retain something does not pay for all of them at every opening.
const LOOK_AT: u32 = 64;

/// A reading of an account's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) allocated_bytes: u64,
    pub(crate) allocated_blocks: u64,
    pub(crate) freed_bytes: u64,
    pub(crate) freed_blocks: u64,
    pub(crate) released_bytes: u64,
    pub(crate) released_blocks: u64,
    pub(crate) peak_bytes: u64,
    pub(crate) reallocations: u64,
    pub(crate) reallocated_bytes: i64,
}

/// The account of a region, `None` for "no region" and for blocks of leakcheck's own.
#[inline(always)]
pub(crate) fn get(id: RegionId) -> Option<&'static Account> {
    ACCOUNTS.get(id)
}

/// The right to open accounts, held over a fork.
#[cfg(unix)]
pub(crate) type Held = MutexGuard<'static, Cursor>;

#[cfg(unix)]
pub(crate) fn hold() -> Held {
    cursor()
}

fn cursor() -> MutexGuard<'static, Cursor> {
    OPENING.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Opens an account under `parent` (0 for none). `None` when there is no memory for another one.
pub(crate) fn open(parent: RegionId) -> Option<RegionId> {
    let mut cursor = cursor();
    let id = match reusable(&mut cursor) {
        Some(id) => id,
        None => ACCOUNTS.push()?,
    };
    let account = get(id)?;
    if let Some(parent) = get(parent) {
        parent.hold();
    }
    account.reset(parent);
    Some(id)
}

fn reusable(cursor: &mut Cursor) -> Option<RegionId> {
    let end = ACCOUNTS.end();
    for _ in 0..LOOK_AT.min(end - 1) {
        let id = cursor.next;
        cursor.next = if id + 1 < end { id + 1 } else { 1 };
        let account = get(id)?;
        if account.is_idle() {
            if let Some(parent) = get(account.parent()) {
                parent.let_go();
            }
            account.parent.store(0, Ordering::Relaxed);
            return Some(id);
        }
    }
    None
}

/// The regions that were opened inside `id`, however deep, and can still own live blocks.
pub(crate) fn inner_regions(id: RegionId) -> Vec<RegionId> {
    let in_use = |account: &Account| account.state.load(Ordering::Acquire) != FREE;
    (1..ACCOUNTS.end())
        .filter(|&inner| inner != id && get(inner).is_some_and(in_use) && is_inside(inner, id))
        .collect()
}

/// Whether `inner` is `outer` or was opened inside it.
pub(crate) fn is_inside(mut inner: RegionId, outer: RegionId) -> bool {
    while let Some(account) = get(inner) {
        if inner == outer {
            return true;
        }
        inner = account.parent();
    }
    false
}

impl Account {
    fn reset(&self, parent: RegionId) {
        for counter in [
            &self.allocated_bytes,
            &self.allocated_blocks,
            &self.peak_bytes,
            &self.reallocations,
            &self.freed_bytes,
            &self.freed_blocks,
            &self.released_bytes,
            &self.released_blocks,
        ] {
            counter.store(0, Ordering::Relaxed);
        }
        self.reallocated_bytes.store(0, Ordering::Relaxed);
        self.parent.store(parent, Ordering::Relaxed);
        self.generation.fetch_add(1, Ordering::Relaxed);
        self.state.store(OPEN, Ordering::Release);
    }

    pub(crate) fn close(&self) {
        self.state.store(CLOSED, Ordering::Release);
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state.load(Ordering::Acquire) == OPEN
    }

    pub(crate) fn parent(&self) -> RegionId {
        self.parent.load(Ordering::Relaxed)
    }

    /// Tells this opening of the account from the earlier and later ones.
    pub(crate) fn generation(&self) -> u32 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Announces a thread, context or inner region that can bring allocations here.
    pub(crate) fn hold(&self) {
        self.holders.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn let_go(&self) {
        self.holders.fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether nothing can reach this account any more.
    pub(crate) fn is_idle(&self) -> bool {
        !self.is_open()
            && self.holders.load(Ordering::Acquire) == 0
            && self.freed_blocks.load(Ordering::Acquire)
                == self.allocated_blocks.load(Ordering::Acquire)
    }

    pub(crate) fn count_allocated(&self, size: u64) {
        let allocated = self.allocated_bytes.fetch_add(size, Ordering::Relaxed) + size;
        self.allocated_blocks.fetch_add(1, Ordering::Relaxed);
        self.raise_peak(allocated);
    }

    fn raise_peak(&self, allocated: u64) {
        let live = allocated.saturating_sub(self.freed_bytes.load(Ordering::Relaxed));
        if live > self.peak_bytes.load(Ordering::Relaxed) {
            self.peak_bytes.fetch_max(live, Ordering::Relaxed);
        }
    }

    /// The block count comes last: from then on the account may be used again.
    pub(crate) fn count_freed(&self, size: u64) {
        self.freed_bytes.fetch_add(size, Ordering::Relaxed);
        self.freed_blocks.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn count_resized(&self, old: u64, new: u64) {
        self.reallocations.fetch_add(1, Ordering::Relaxed);
        self.reallocated_bytes.fetch_add(new as i64 - old as i64, Ordering::Relaxed);
        if new >= old {
            let grown = new - old;
            let allocated = self.allocated_bytes.fetch_add(grown, Ordering::Relaxed) + grown;
            self.raise_peak(allocated);
        } else {
            self.freed_bytes.fetch_add(old - new, Ordering::Relaxed);
        }
    }

    pub(crate) fn count_released(&self, size: u64) {
        self.released_bytes.fetch_add(size, Ordering::Relaxed);
        self.released_blocks.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            // What was freed is read first: a block freed in between is still seen as live, never
            // as freed twice.
            freed_bytes: self.freed_bytes.load(Ordering::Acquire),
            freed_blocks: self.freed_blocks.load(Ordering::Acquire),
            released_bytes: self.released_bytes.load(Ordering::Relaxed),
            released_blocks: self.released_blocks.load(Ordering::Relaxed),
            allocated_bytes: self.allocated_bytes.load(Ordering::Relaxed),
            allocated_blocks: self.allocated_blocks.load(Ordering::Relaxed),
            peak_bytes: self.peak_bytes.load(Ordering::Relaxed),
            reallocations: self.reallocations.load(Ordering::Relaxed),
            reallocated_bytes: self.reallocated_bytes.load(Ordering::Relaxed),
        }
    }
}

impl Counts {
    pub(crate) fn live_bytes(&self) -> u64 {
        self.allocated_bytes.saturating_sub(self.freed_bytes)
    }

    pub(crate) fn live_blocks(&self) -> u64 {
        self.allocated_blocks.saturating_sub(self.freed_blocks)
    }
}
