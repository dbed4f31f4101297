//! A shard: the part of a region's account that one thread updates.
//!
//! Each thread in a region has a shard of its own, so that no two threads write to the same cache
//! line. A thread attaches to a shard at its first allocation and detaches when it leaves the
//! region. The next thread of the region continues with the same shard. Shards of a closed region
//! are recycled.

use std::cell::UnsafeCell;
#[cfg(asm_hot_path)]
use std::mem::offset_of;
use std::sync::atomic::{AtomicU32, Ordering};

use leakcheck_system::arena::Zeroed;
use leakcheck_system::counter::{LocalCounter, LocalRef};
use leakcheck_system::pool::{Pool, PoolEntry, Stack};
use leakcheck_unwind as unwind;
use leakcheck_unwind::walk_cache::WalkCache;

use super::account::{self, Account, RegionId};
use super::record::{Chunks, Record};
use super::sample::{LARGE, Sampler};
use super::sites::Sites;
use crate::call_site;
use crate::totals::Totals;

/// The number of live bytes that a shard may gain before it flushes them to the account. A region's
/// peak is exact while one thread at a time is in it. Each further thread adds an error of at most
/// three times this number.
const FLUSH_BYTES: i32 = 1 << 10;
/// The headroom of a shard that has lost as many live bytes.
pub(crate) const FLUSH_HEADROOM: i32 = 2 * FLUSH_BYTES;

/// The part of a region's account that one thread updates.
#[repr(C, align(128))]
pub(crate) struct Shard {
    /// The high-water mark minus the live bytes.
    headroom: LocalCounter,
    sampler: Sampler,
    /// The largest number of live bytes since the last flush.
    high_water: LocalCounter,
    reallocations: LocalCounter,
    reallocated_bytes: LocalCounter,
    /// What reallocations moved between records. Their sums count it as freed and as allocated.
    moved_bytes: LocalCounter,
    moved_blocks: LocalCounter,
    /// The record of blocks without a call site.
    siteless: LocalRef<Record>,
    /// The record of the stack in the walk cache.
    latest: LocalRef<Record>,
    /// 1 while the thread uses its walk cache and tables. Blocks that a signal handler allocates
    /// during that time have no call site.
    busy: LocalCounter,
    /// The generation of unwind rules with which the walk cache was filled.
    rule_generation: LocalCounter,
    /// The region to which the shard belongs, 0 if it is free.
    region: AtomicU32,
    /// The shard's own index.
    id: AtomicU32,
    /// The next shard in the list of the region's vacant shards, or of free ones.
    next: AtomicU32,
    chunks: Chunks,
    /// The records of call sites whose blocks are all counted.
    sites: UnsafeCell<Sites>,
    /// The records of call sites whose blocks are sampled.
    sampled_sites: UnsafeCell<Sites>,
    cache: UnsafeCell<WalkCache>,
}

// SAFETY: only the attached thread accesses the cells. A thread attaches by removing the shard from a
// list, which is an acquire operation, and detaches by adding it to one, which is a release
// operation, so a thread sees what the previous one wrote. All other fields are atomics and
// counters.
unsafe impl Sync for Shard {}

// SAFETY: zero is valid for integers, counters, null references, empty tables and walk caches, and
// none of them needs a drop.
unsafe impl Zeroed for Shard {}

impl PoolEntry for Shard {
    fn next_free(&self) -> u32 {
        self.next.load(Ordering::Relaxed)
    }

    fn set_next_free(&self, index: u32) {
        self.next.store(index, Ordering::Relaxed);
    }
}

static SHARDS: Pool<Shard> = Pool::new(4);

/// The shards of a region to which no thread is attached. All zeros is an empty list.
#[repr(transparent)]
pub(crate) struct VacantShards(Stack);

/// Attaches the calling thread, which must have a reference to the region's account, to a shard of
/// the region. Returns `None` if memory is exhausted.
pub(crate) fn attach(region: RegionId) -> Option<&'static Shard> {
    let account = account::get(region)?;
    let shard = match SHARDS.pop(&account.vacant_shards().0) {
        Some((_, shard)) => shard,
        None => {
            let (id, shard) = SHARDS.allocate()?;
            shard.id.store(id, Ordering::Relaxed);
            shard.reset(region, seed(region, account));
            shard
        }
    };
    shard.busy.set(0);
    shard.clear_walk_cache();
    Some(shard)
}

/// Returns the seed of a new shard's sampler. A test with deterministic allocations on one thread
/// has the same blocks sampled in every run. The regions inside of it have different seeds, so that
/// repeated short regions are not sampled alike.
fn seed(region: RegionId, account: &Account) -> u64 {
    let earlier = u64::from(account.count_shard());
    if account.parent() == 0 {
        return earlier;
    }
    u64::from(account.generation()) << 40 ^ u64::from(region) << 16 ^ earlier
}

/// Returns the shards of a region.
pub(crate) fn of_region(region: RegionId) -> impl Iterator<Item = &'static Shard> {
    SHARDS.iter().filter(move |shard| shard.region.load(Ordering::Acquire) == region)
}

/// Frees the vacant shards of a closed region. Records with live blocks move to `pinned`.
pub(crate) fn recycle(vacant: &VacantShards, pinned: &Chunks) {
    while let Some((id, shard)) = SHARDS.pop(&vacant.0) {
        shard.chunks.recycle(pinned);
        shard.region.store(0, Ordering::Release);
        SHARDS.free(id);
    }
}

#[cfg(asm_hot_path)]
impl Shard {
    pub(crate) const HEADROOM_AT: usize = offset_of!(Self, headroom);
    pub(crate) const SITELESS_AT: usize = offset_of!(Self, siteless);
    pub(crate) const LATEST_AT: usize = offset_of!(Self, latest);
    pub(crate) const BUSY_AT: usize = offset_of!(Self, busy);
    pub(crate) const WALK_CACHE_AT: usize = offset_of!(Self, cache);
    pub(crate) const REGION_AT: usize = offset_of!(Self, region);
    pub(crate) const UNTIL_SAMPLE_AT: usize = offset_of!(Self, sampler) + Sampler::UNTIL_AT;
}

/// [`Shard::raise_high_water`] for callers in assembly.
#[cfg(asm_hot_path)]
pub(crate) extern "sysv64" fn raise_high_water(shard: &Shard) {
    shard.raise_high_water();
}

/// Returns the record of the stack that a walk has just put into the walk cache, for callers in
/// assembly. Returns null if memory is exhausted.
#[cfg(asm_hot_path)]
pub(crate) extern "sysv64" fn record_of_walk(shard: &Shard) -> *const Record {
    // SAFETY: the calling thread is attached to the shard and has set `busy`, so neither another
    // thread nor a signal handler refers to the walk cache.
    let cache = unsafe { &mut *shard.cache.get() };
    cache.finish_walk();
    match shard.find_or_add(cache) {
        Some(record) => record,
        None => std::ptr::null(),
    }
}

/// [`Shard::flush_to_region`] for callers in assembly.
#[cfg(asm_hot_path)]
pub(crate) extern "sysv64" fn flush(shard: &Shard) {
    shard.flush_to_region();
}

impl Shard {
    /// Prepares a free shard for a region.
    fn reset(&self, region: RegionId, seed: u64) {
        for counter in [
            &self.headroom,
            &self.high_water,
            &self.reallocations,
            &self.reallocated_bytes,
            &self.moved_bytes,
            &self.moved_blocks,
        ] {
            counter.set(0);
        }
        self.siteless.set(None);
        // SAFETY: the calling thread has just attached to the shard, so nothing else refers to its
        // cells.
        unsafe { &mut *self.sites.get() }.clear();
        // SAFETY: the calling thread has just attached to the shard, so nothing else refers to its
        // cells.
        unsafe { &mut *self.sampled_sites.get() }.clear();
        self.sampler.reset(seed);
        self.region.store(region, Ordering::Release);
    }

    /// Clears the walk cache, because another thread filled it or its unwind rules are outdated.
    fn clear_walk_cache(&self) {
        self.rule_generation.set(unwind::rule_generation());
        // SAFETY: the calling thread is attached to the shard and `busy` is not set, so neither
        // another thread nor an interrupted function refers to the walk cache.
        unsafe { &mut *self.cache.get() }.clear();
        self.latest.set(None);
    }

    /// Called by the attached thread when it refreshes its state.
    pub(crate) fn refresh(&self) {
        // The account's live bytes may have changed, so the next block may set a new peak.
        self.high_water.set(self.unflushed_bytes() as u64);
        self.headroom.set(0);
        // A signal handler must not clear the cache during the walk that it has interrupted.
        if self.busy.get() == 0 && self.rule_generation.get() != unwind::rule_generation() {
            self.clear_walk_cache();
        }
    }

    /// Detaches the calling thread, which is leaving the region.
    pub(crate) fn detach(&self, account: &Account) {
        self.flush(account);
        if self.busy.get() == 0 {
            // The memory that the cache has for a deep stack is not needed any more.
            self.clear_walk_cache();
        }
        SHARDS.push(&account.vacant_shards().0, self.id.load(Ordering::Relaxed));
    }

    /// Returns the region to which the shard belongs.
    pub(crate) fn region(&self) -> RegionId {
        self.region.load(Ordering::Relaxed)
    }

    /// Counts an allocated block in a record of this shard. Only the attached thread may call this.
    #[inline(always)]
    pub(crate) fn allocated(&self, record: &Record, size: u64) {
        record.count_allocated(size);
        if self.headroom.sub_is_negative(size) {
            self.raise_high_water();
        }
    }

    /// Returns the change of the live bytes since the last flush.
    pub(crate) fn unflushed_bytes(&self) -> i64 {
        (self.high_water.get() as i64).wrapping_sub(self.headroom.get() as i64)
    }

    /// Sets the high-water mark to the live bytes and raises the region's peak.
    #[inline(never)]
    fn raise_high_water(&self) {
        let live = self.unflushed_bytes();
        self.high_water.set(live as u64);
        self.headroom.set(0);
        let Some(account) = account::get(self.region()) else { return };
        account.raise_peak(account.live_bytes() + live);
        if live > i64::from(FLUSH_BYTES) {
            self.flush(account);
        }
    }

    /// Counts a freed block in a record of this shard. Only the attached thread may call this.
    #[inline(always)]
    pub(crate) fn freed(&self, record: &Record, size: u64) {
        record.count_freed(size);
        self.add_headroom(size);
    }

    /// Counts a freed block in a record of another shard of the same region. Only the thread
    /// attached to this shard may call this.
    #[inline(always)]
    pub(crate) fn freed_elsewhere(&self, record: &Record, size: u64) {
        record.count_freed_elsewhere(size);
        self.add_headroom(size);
    }

    #[inline(always)]
    fn add_headroom(&self, size: u64) {
        if self.headroom.add_exceeds::<FLUSH_HEADROOM>(size) {
            self.flush_to_region();
        }
    }

    /// Counts a resized block in a record of this shard. `to` is the record of the call site that
    /// resized it.
    pub(crate) fn resized(&self, from: &Record, to: &Record, old: u64, new: u64) {
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

    /// Counts a reallocation, whose bytes the records count.
    fn reallocated(&self, old: u64, new: u64) {
        self.reallocations.add(1);
        self.reallocated_bytes.add(new.wrapping_sub(old));
        if self.headroom.sub_is_negative(new.wrapping_sub(old)) {
            self.raise_high_water();
        }
    }

    /// Counts a resized block that moved from a record of another shard to one of this shard.
    pub(crate) fn moved_in(&self, old: u64, new: u64) {
        self.moved_bytes.add(old.min(new));
        self.moved_blocks.add(1);
        self.reallocated(old, new);
    }

    #[cold]
    #[inline(never)]
    fn flush_to_region(&self) {
        if let Some(account) = account::get(self.region()) {
            self.flush(account);
        }
    }

    /// Adds the change of the live bytes to the account.
    fn flush(&self, account: &Account) {
        account.add_live(self.unflushed_bytes());
        self.high_water.set(0);
        self.headroom.set(0);
    }

    /// Returns the number of reallocations and the bytes that they added.
    pub(crate) fn reallocations(&self) -> (u64, i64) {
        (self.reallocations.get(), self.reallocated_bytes.get() as i64)
    }

    /// Returns what moved between records. Their sums count it as freed and as allocated.
    pub(crate) fn moved(&self) -> Totals {
        Totals { bytes: self.moved_bytes.get(), blocks: self.moved_blocks.get() }
    }

    /// Returns an iterator over the records of the shard.
    pub(crate) fn records(&self) -> impl Iterator<Item = &'static Record> {
        self.chunks.records()
    }

    /// Returns the record of the call site that the attached thread, which must be the calling one,
    /// is executing. Returns `None` if memory is exhausted.
    ///
    /// `walk` walks the stack into the cache and returns whether the cache already contained it.
    #[inline(always)]
    pub(crate) fn current_record(
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

    /// Calls `f` with the walk cache. If it is in use, which means that a signal handler
    /// interrupted a walk, it returns the record of blocks without a call site.
    fn with_walk_cache(
        &self,
        f: impl FnOnce(&mut WalkCache) -> Option<&'static Record>,
    ) -> Option<&'static Record> {
        if self.busy.get() != 0 {
            return self.siteless_record();
        }
        self.busy.set(1);
        // SAFETY: the calling thread is attached to the shard, and `busy` was not set, so neither
        // another thread nor an interrupted function refers to the walk cache.
        let record = f(unsafe { &mut *self.cache.get() });
        self.busy.set(0);
        record
    }

    /// Returns the record of a block if call stacks are sampled: that of the call site that the
    /// attached thread is executing if the block is captured, otherwise that of blocks without a
    /// call site. Only the attached thread may call this.
    #[inline(never)]
    pub(crate) fn sampled_record(
        &self,
        size: usize,
        walk: impl FnOnce(&mut WalkCache) -> bool,
    ) -> Option<&'static Record> {
        let is_large = size >= LARGE;
        if !is_large && !self.sampler.selects(size as u64) {
            return self.siteless_record();
        }
        self.with_walk_cache(|cache| {
            walk(cache);
            // `latest` belongs to the previous stack in the walk cache.
            self.latest.set(None);
            if is_large {
                self.record_in(&self.sites, cache, false)
            } else {
                self.record_in(&self.sampled_sites, cache, true)
            }
        })
    }

    #[inline(never)]
    fn find_or_add(&self, cache: &WalkCache) -> Option<&'static Record> {
        let record = self.record_in(&self.sites, cache, false);
        self.latest.set(record);
        record
    }

    /// Returns the record of the stack in a walk cache, from one of the shard's tables.
    #[inline(always)]
    fn record_in(
        &self,
        sites: &UnsafeCell<Sites>,
        cache: &WalkCache,
        is_sample: bool,
    ) -> Option<&'static Record> {
        // SAFETY: the calling thread is attached to the shard and has set `busy`, so neither
        // another thread nor a signal handler refers to the table.
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
        let Some(site) = call_site::get(id) else { return self.siteless_record() };
        match self.chunks.add(self, self.region(), id, is_sample) {
            Some(record) if sites.add(cache, site, record) => Some(record),
            Some(_) | None => self.siteless_record(),
        }
    }

    /// Returns the record of blocks without a call site, `None` if memory is exhausted. Only the
    /// attached thread may call this.
    #[inline(always)]
    pub(crate) fn siteless_record(&self) -> Option<&'static Record> {
        match self.siteless.get() {
            Some(record) => Some(record),
            None => self.add_siteless_record(),
        }
    }

    #[cold]
    #[inline(never)]
    fn add_siteless_record(&self) -> Option<&'static Record> {
        let record = self.chunks.add(self, self.region(), 0, false);
        self.siteless.set(record);
        record
    }
}
