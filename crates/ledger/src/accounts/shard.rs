//! What one thread does for one region.
//!
//! A thread has its own shard of a region's account while it works for it, so that no two threads
//! write to the same cache line. The thread takes a shard with its first allocation and gives it
//! back when it leaves the region; the next thread of the region goes on with it. Shards of a
//! region that is over are used again.

use std::cell::UnsafeCell;
#[cfg(asm_hot_path)]
use std::mem::offset_of;
use std::sync::atomic::{AtomicU32, Ordering};

use super::account::{Account, RegionId};
use super::record::{Chunks, Record};
use super::sample::{LARGE, Sampler};
use super::sites::Sites;
use crate::call_site;
use crate::volume::Volume;
use leakcheck_system::arena::{Arena, Zeroed};
use leakcheck_system::counter::{LocalCounter, LocalRef};
use leakcheck_unwind as unwind;
use leakcheck_unwind::walk_cache::WalkCache;

/// Nobody's.
const FREE: u32 = 0;
/// A region's; no thread has it at the moment.
const VACANT: u32 = 1;
/// A thread's.
const TAKEN: u32 = 2;

/// How far a thread's live bytes may rise before it tells the account. A region's peak is exact as long as one
/// thread works for it at a time, and known to within three times as many bytes for each further one.
const TELL_AT: i32 = 1 << 10;
/// How much room there is when the live bytes have fallen that far.
pub(crate) const TELL_AT_ROOM: i32 = 2 * TELL_AT;

#[repr(C, align(128))]
pub struct Shard {
    /// How many live bytes are missing to `high`.
    room: LocalCounter,
    sampler: Sampler,
    /// The most bytes that were live since the account was told last.
    high: LocalCounter,
    reallocations: LocalCounter,
    reallocated_bytes: LocalCounter,
    /// What reallocations moved from one record to another: no record's allocation or free.
    moved_bytes: LocalCounter,
    moved_blocks: LocalCounter,
    /// The record of blocks whose call site is unknown.
    siteless: LocalRef<Record>,
    /// The record of the stack that the walk cache holds.
    latest: LocalRef<Record>,
    /// 1 while the thread is at work on its cache and tables: what a signal's handler allocates meanwhile
    /// has no call site.
    busy: LocalCounter,
    /// The generation of rules that the walk cache was made with.
    rules: LocalCounter,
    state: AtomicU32,
    region: AtomicU32,
    chunks: Chunks,
    sites: UnsafeCell<Sites>,
    /// Those that blocks were sampled at.
    samples: UnsafeCell<Sites>,
    cache: UnsafeCell<WalkCache>,
}

// SAFETY: cells are touched by the thread that has taken the shard only, and taking and giving back
// are an acquire and a release of `state`. All else are atomics.
unsafe impl Sync for Shard {}

// SAFETY: integers, words, and cells with null pointers; an empty table of sites and an empty cache
// are zeros.
unsafe impl Zeroed for Shard {}

static SHARDS: Arena<Shard> = Arena::new(2);

/// Takes a shard of a region for the calling thread, which has to hold the region's account. `None`
/// when memory is used up.
pub fn attach(region: RegionId) -> Option<&'static Shard> {
    let vacant = |shard: &&Shard| {
        shard.region.load(Ordering::Relaxed) == region && shard.change(VACANT, TAKEN)
    };
    let shard = match all().find(vacant) {
        // It passed to another region between the two looks.
        Some(shard) if shard.region.load(Ordering::Relaxed) != region => {
            shard.state.store(VACANT, Ordering::Release);
            fresh(region)?
        }
        Some(shard) => shard,
        None => fresh(region)?,
    };
    shard.busy.set(0);
    shard.forget();
    Some(shard)
}

fn fresh(region: RegionId) -> Option<&'static Shard> {
    let seed = seed(region);
    let shard = match all().find(|shard| shard.change(FREE, TAKEN)) {
        Some(shard) => shard,
        None => loop {
            let shard = SHARDS.get(SHARDS.push()?)?;
            // Another thread may take what this one appends.
            if shard.change(FREE, TAKEN) {
                break shard;
            }
        },
    };
    shard.begin(region, seed);
    Some(shard)
}

/// What the sample of a new shard begins with. A test that allocates the same on one thread has the
/// same blocks sampled in every run. Of many short regions inside it, each has a sample of its own.
fn seed(region: RegionId) -> u64 {
    let earlier = of(region).count() as u64;
    match super::account::get(region).filter(|account| account.parent() != 0) {
        Some(account) => u64::from(account.generation()) << 40 ^ u64::from(region) << 16 ^ earlier,
        None => earlier,
    }
}

fn all() -> impl Iterator<Item = &'static Shard> {
    (1..SHARDS.end()).filter_map(|id| SHARDS.get(id))
}

/// The shards of a region.
pub fn of(region: RegionId) -> impl Iterator<Item = &'static Shard> {
    all().filter(move |shard| {
        shard.state.load(Ordering::Acquire) != FREE
            && shard.region.load(Ordering::Relaxed) == region
    })
}

/// Frees the shards of a region that is over, which no thread has taken. Records that live blocks
/// name pass to `pinned`.
pub fn let_go(region: RegionId, pinned: &Chunks) {
    for shard in of(region) {
        if shard.change(VACANT, TAKEN) {
            shard.chunks.let_go(pinned);
            shard.state.store(FREE, Ordering::Release);
        }
    }
}

#[cfg(asm_hot_path)]
impl Shard {
    pub(crate) const ROOM_AT: usize = offset_of!(Self, room);
    pub(crate) const SITELESS_AT: usize = offset_of!(Self, siteless);
    pub(crate) const LATEST_AT: usize = offset_of!(Self, latest);
    pub(crate) const BUSY_AT: usize = offset_of!(Self, busy);
    pub(crate) const WALK_CACHE_AT: usize = offset_of!(Self, cache);
    pub(crate) const REGION_AT: usize = offset_of!(Self, region);
    pub(crate) const UNTIL_SAMPLE_AT: usize = offset_of!(Self, sampler) + Sampler::UNTIL_AT;
}

/// [`Shard::rise`] for callers in assembly.
#[cfg(asm_hot_path)]
pub(crate) extern "sysv64" fn rise(shard: &Shard) {
    shard.rise();
}

/// The record of a stack that has just come onto the walk cache, for callers in assembly; null when
/// memory is used up.
#[cfg(asm_hot_path)]
pub(crate) extern "sysv64" fn record_of_walk(shard: &Shard) -> *const Record {
    // SAFETY: the walk cache is this thread's, and nothing else refers to it meanwhile.
    let cache = unsafe { &mut *shard.cache.get() };
    cache.settle();
    match shard.find_or_add(cache) {
        Some(record) => record,
        None => std::ptr::null(),
    }
}

/// [`Shard::tell_region`] for callers in assembly.
#[cfg(asm_hot_path)]
pub(crate) extern "sysv64" fn tell(shard: &Shard) {
    shard.tell_region();
}

impl Shard {
    fn change(&self, from: u32, to: u32) -> bool {
        self.state.load(Ordering::Relaxed) == from
            && self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    fn begin(&self, region: RegionId, seed: u64) {
        for word in [
            &self.room,
            &self.high,
            &self.reallocations,
            &self.reallocated_bytes,
            &self.moved_bytes,
            &self.moved_blocks,
        ] {
            word.set(0);
        }
        self.siteless.set(None);
        // SAFETY: the shard is this thread's.
        unsafe { &mut *self.sites.get() }.clear();
        // SAFETY: as above.
        unsafe { &mut *self.samples.get() }.clear();
        self.sampler.begin(seed);
        self.region.store(region, Ordering::Release);
    }

    /// Forgets the walk before, which was another thread's or went by rules that are forgotten.
    fn forget(&self) {
        self.rules.set(unwind::generation());
        // SAFETY: the shard is this thread's.
        unsafe { &mut *self.cache.get() }.forget();
        self.latest.set(None);
    }

    /// To be called by the thread that has it after a change.
    pub fn refresh(&self) {
        // Another thread may have told the account of what it left: the next block is a new height.
        self.high.set(self.live() as u64);
        self.room.set(0);
        if self.rules.get() != unwind::generation() {
            self.forget();
        }
    }

    /// To be called by the thread that has it when it works for the region no more.
    pub fn detach(&self, account: &Account) {
        self.tell(account);
        self.state.store(VACANT, Ordering::Release);
    }

    pub fn region(&self) -> RegionId {
        self.region.load(Ordering::Relaxed)
    }

    /// Counts a block of one of its own records. For the thread that has the shard.
    #[inline(always)]
    pub fn allocated(&self, record: &Record, size: u64) {
        record.count_allocated(size);
        if self.room.sub_is_negative(size) {
            self.rise();
        }
    }

    /// Live bytes since the account was told last; may be negative.
    fn live(&self) -> i64 {
        (self.high.get() as i64).wrapping_sub(self.room.get() as i64)
    }

    /// Notes a new height.
    #[inline(never)]
    fn rise(&self) {
        let live = self.live();
        self.high.set(live as u64);
        self.room.set(0);
        let Some(account) = super::account::get(self.region()) else { return };
        account.raise_peak(account.live_bytes() + live);
        if live > i64::from(TELL_AT) {
            self.tell(account);
        }
    }

    /// Counts a block of one of its own records as freed. For the thread that has the shard.
    #[inline(always)]
    pub fn freed(&self, record: &Record, size: u64) {
        record.count_freed(size);
        self.shrink(size);
    }

    /// Counts a block of its region, but not of its own records, as freed. For the thread that has the shard.
    #[inline(always)]
    pub fn freed_elsewhere(&self, record: &Record, size: u64) {
        record.count_freed_elsewhere(size);
        self.shrink(size);
    }

    #[inline(always)]
    fn shrink(&self, size: u64) {
        if self.room.add_exceeds::<TELL_AT_ROOM>(size) {
            self.tell_region();
        }
    }

    /// Counts a block of one of its own records as resized; `to` is the record of the place that
    /// did it.
    pub fn resized(&self, from: &Record, to: &Record, old: u64, new: u64) {
        if std::ptr::eq(from, to) {
            from.count_resized(old, new);
        } else {
            from.count_freed(old);
            to.count_allocated(new);
            self.moved_bytes.add(old.min(new));
            self.moved_blocks.add(1);
        }
        self.reallocated(old, new);
    }

    /// A block changed its size for the region, whatever record it had and has.
    pub fn reallocated(&self, old: u64, new: u64) {
        self.reallocations.add(1);
        self.reallocated_bytes.add(new.wrapping_sub(old));
        if self.room.sub_is_negative(new.wrapping_sub(old)) {
            self.rise();
        }
    }

    /// A block moved from another thread's record to one of this shard's.
    pub fn moved_in(&self, old: u64, new: u64) {
        self.moved_bytes.add(old.min(new));
        self.moved_blocks.add(1);
        self.reallocated(old, new);
    }

    #[cold]
    #[inline(never)]
    fn tell_region(&self) {
        if let Some(account) = super::account::get(self.region()) {
            self.tell(account);
        }
    }

    /// Adds what is live here to the account's figure.
    fn tell(&self, account: &Account) {
        account.add_live(self.live());
        self.high.set(0);
        self.room.set(0);
    }

    /// What is live here and the account does not know of.
    pub fn untold(&self) -> i64 {
        self.live()
    }

    pub fn reallocations(&self) -> (u64, i64) {
        (self.reallocations.get(), self.reallocated_bytes.get() as i64)
    }

    /// What moved between records, which is in their sums as freed and as allocated.
    pub fn moved(&self) -> Volume {
        Volume { bytes: self.moved_bytes.get(), blocks: self.moved_blocks.get() }
    }

    pub fn records(&self) -> impl Iterator<Item = &'static Record> {
        self.chunks.records()
    }

    /// The record of the call site that this thread is at; `None` when memory is used up. For the
    /// thread that has the shard.
    ///
    /// `walk` walks the stack into the cache and says whether it held that stack already.
    #[inline(always)]
    pub fn record_here(
        &self,
        walk: impl FnOnce(&mut WalkCache) -> bool,
    ) -> Option<&'static Record> {
        self.with_walk_cache(|cache| {
            if walk(cache)
                && let Some(latest) = self.latest.get()
            {
                return Some(latest);
            }
            self.find_or_add(cache)
        })
    }

    /// Lets the thread work with its cache, if it is not at work with it already.
    fn with_walk_cache(
        &self,
        work: impl FnOnce(&mut WalkCache) -> Option<&'static Record>,
    ) -> Option<&'static Record> {
        if self.busy.get() != 0 {
            return self.siteless();
        }
        self.busy.set(1);
        // SAFETY: the walk cache is this thread's, and nothing else refers to it while it is busy.
        let record = work(unsafe { &mut *self.cache.get() });
        self.busy.set(0);
        record
    }

    /// The record of a block where call stacks are sampled: that of the call site that this thread
    /// is at, or of those whose call site is unknown. For the thread that has the shard.
    #[inline(never)]
    pub fn record_by_sample(
        &self,
        size: usize,
        walk: impl FnOnce(&mut WalkCache) -> bool,
    ) -> Option<&'static Record> {
        let is_large = size >= LARGE;
        if !is_large && !self.sampler.picks(size as u64) {
            return self.siteless();
        }
        self.with_walk_cache(|cache| {
            walk(cache);
            // It goes with the walk cache, which has another stack now.
            self.latest.set(None);
            if is_large {
                self.record_in(&self.sites, cache, false)
            } else {
                self.record_in(&self.samples, cache, true)
            }
        })
    }

    #[inline(never)]
    fn find_or_add(&self, cache: &WalkCache) -> Option<&'static Record> {
        let record = self.record_in(&self.sites, cache, false);
        self.latest.set(record);
        record
    }

    /// The record of a stack by one of this shard's tables.
    #[inline(always)]
    fn record_in(
        &self,
        sites: &UnsafeCell<Sites>,
        cache: &WalkCache,
        is_sample: bool,
    ) -> Option<&'static Record> {
        // SAFETY: the table is this thread's, and nothing else refers to it meanwhile.
        let sites = unsafe { &mut *sites.get() };
        match sites.find(cache) {
            Some(record) => Some(record),
            None => self.add(cache, sites, is_sample),
        }
    }

    #[cold]
    fn add(
        &self,
        cache: &WalkCache,
        sites: &mut Sites,
        is_sample: bool,
    ) -> Option<&'static Record> {
        let id = call_site::intern(cache);
        let Some(site) = call_site::get(id) else { return self.siteless() };
        match self.chunks.add(self, self.region(), id, is_sample) {
            Some(record) if sites.add(cache, site, record) => Some(record),
            Some(_) | None => self.siteless(),
        }
    }

    /// The record of blocks whose call site is unknown; `None` when memory is used up. For the
    /// thread that has the shard.
    #[inline(always)]
    pub fn siteless(&self) -> Option<&'static Record> {
        match self.siteless.get() {
            Some(record) => Some(record),
            None => self.first_siteless(),
        }
    }

    #[cold]
    #[inline(never)]
    fn first_siteless(&self) -> Option<&'static Record> {
        let record = self.chunks.add(self, self.region(), 0, false);
        self.siteless.set(record);
        record
    }
}
