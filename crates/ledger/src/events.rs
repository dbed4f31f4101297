//! Allocator events: each call charges one to a region and a call site.
//!
//! The functions know nothing about allocators. The caller reports that a block with the header at
//! `header_addr` was allocated or reallocated, after which the header is written, or is about to be
//! freed. None of them allocates, locks, panics or blocks.
//!
//! Each event has a fast path and a slow path. The fast path applies if the thread's region has not
//! changed since its previous event and the block belongs to that region. It is inlined and avoids
//! the standard library's small functions, because most tests are unoptimized builds.

#[cfg(asm_hot_path)]
#[allow(unsafe_code, reason = "counts in assembly")]
mod x86_64;

use leakcheck_system::overhead;
use leakcheck_unwind::walk_cache::WalkCache;
use leakcheck_unwind::{self as unwind, Registers, WalkResult};

use crate::accounts::account::{self, Account, RegionId};
use crate::accounts::record::Record;
use crate::accounts::shard::Shard;
use crate::accounts::tag::Tag;
use crate::accounts::{release, sample};
use crate::call_site::SiteId;
use crate::epoch::{CaptureMode, EPOCH, any_region_open, capture_mode, process_region};
use crate::header;
#[cfg(holders)]
use crate::live;
use crate::tally;
use crate::thread::{
    self, CAPTURE_ALL, CAPTURE_SAMPLED, COUNT_PROCESS, Thread, Untracked, running,
};

/// Records that a block was allocated, and writes its header.
#[inline(always)]
pub(crate) fn allocated(size: usize, header_addr: usize) {
    #[cfg(asm_hot_path)]
    if !cfg!(leakcheck_compare) {
        return x86_64::allocated(size, header_addr);
    }
    allocated_in_rust(size, header_addr, &Registers::current());
}

/// Records that a block is about to be freed.
#[inline(always)]
pub(crate) fn freed(tag: Tag, size: usize, header_addr: usize) {
    #[cfg(asm_hot_path)]
    x86_64::freed(tag, size, header_addr);
    #[cfg(not(asm_hot_path))]
    freed_in_rust(tag, size, header_addr, &Registers::current());
}

#[inline(always)]
fn allocated_in_rust(size: usize, header_addr: usize, from: &Registers) {
    let tag = tag_for(size, header_addr, from);
    #[cfg(holders)]
    live::clear_start(header_addr, size);
    header::publish(header_addr, size, tag);
}

/// Charges a block and returns its tag.
#[inline(always)]
fn tag_for(size: usize, header_addr: usize, from: &Registers) -> Tag {
    let thread = thread::current();
    if thread.seen_epoch.equals(&EPOCH) {
        return match thread.shard.get() {
            Some(shard) => charge(thread, shard, size, from),
            None => Tag::UNOWNED,
        };
    }
    allocated_slow(thread, size, header_addr, from)
}

#[inline(always)]
fn freed_in_rust(tag: Tag, size: usize, header_addr: usize, from: &Registers) {
    header::withdraw(header_addr);
    let thread = thread::current();
    if thread.seen_epoch.equals(&EPOCH) {
        match (tag.record(), thread.shard.get()) {
            (Some(record), Some(shard)) if record.owner() == shard.region() => {
                if record.belongs_to(shard) {
                    shard.freed(record, size as u64);
                } else {
                    shard.freed_elsewhere(record, size as u64);
                }
                if thread.flags.get() & COUNT_PROCESS != 0 {
                    tally::process_freed(size);
                }
                return;
            }
            (None, None) => return,
            _ => {}
        }
    }
    freed_slow(thread, tag, size, header_addr, from);
}

/// Returns whether the allocator must reallocate by copying and report [`copied`], so that the old
/// bytes can be cleared.
#[inline(always)]
pub(crate) fn reallocates_by_copy() -> bool {
    #[cfg(holders)]
    return live::is_thorough();
    #[cfg(not(holders))]
    false
}

/// Records that a block was copied from the address `old_block`, which is about to be freed.
#[cold]
pub(crate) fn copied(header_addr: usize, old_size: usize, new_size: usize, old_block: usize) {
    #[cfg(holders)]
    live::on_copy(header_addr, old_size, new_size, old_block);
    #[cfg(not(holders))]
    let _ = (header_addr, old_size, new_size, old_block);
}

/// Records that a block was reallocated, and writes its header. `header_addr` is its new one. The
/// caller has [withdrawn](header::withdraw) the old one.
#[inline(always)]
pub(crate) fn resized(tag: Tag, old: usize, new: usize, header_addr: usize) {
    #[cfg(holders)]
    live::clear_growth(header_addr, old, new);
    header::publish(header_addr, new, tag_after_resize(tag, old, new, header_addr));
}

#[inline(always)]
fn tag_after_resize(tag: Tag, old: usize, new: usize, header_addr: usize) -> Tag {
    let from = &Registers::current();
    let thread = thread::current();
    if thread.seen_epoch.equals(&EPOCH)
        && let Some(shard) = thread.shard.get()
        && let Some(record) = tag.record()
        && record.belongs_to(shard)
    {
        let to = current_record(thread, shard, new, from).unwrap_or(record);
        shard.resized(record, to, old as u64, new as u64);
        if thread.flags.get() & COUNT_PROCESS != 0 {
            tally::process_resized(old, new);
        }
        return Tag::of(to);
    }
    resized_slow(thread, tag, (old, new), header_addr, from)
}

/// Charges a block to the shard's region, but not to the regions around it.
#[inline(always)]
fn charge(thread: &Thread, shard: &'static Shard, size: usize, from: &Registers) -> Tag {
    let Some(record) = current_record(thread, shard, size, from) else { return Tag::UNOWNED };
    shard.allocated(record, size as u64);
    if thread.flags.get() & COUNT_PROCESS != 0 {
        tally::process_allocated(size);
    }
    Tag::of(record)
}

/// Returns the record for a block that the thread is allocating, `None` if memory is exhausted.
#[inline(always)]
fn current_record(
    thread: &Thread,
    shard: &'static Shard,
    size: usize,
    from: &Registers,
) -> Option<&'static Record> {
    let flags = thread.flags.get();
    if flags & CAPTURE_ALL != 0 {
        shard.current_record(|cache| walk_stack(cache, from, thread))
    } else if flags & CAPTURE_SAMPLED != 0 {
        shard.sampled_record(size, |cache| walk_stack(cache, from, thread))
    } else {
        shard.siteless_record()
    }
}

/// Walks the thread's stack into a cache. Returns whether the cache already contained that stack.
#[inline(always)]
fn walk_stack(cache: &mut WalkCache, from: &Registers, thread: &Thread) -> bool {
    let base = thread.stack_base.get() as usize;
    let unchanged = match unwind::walk(cache, from, base) {
        WalkResult::Unchanged => true,
        WalkResult::Changed => false,
        WalkResult::NeedsPlatform => walk_by_platform(cache, from, base),
    };
    #[cfg(all(table_unwinder, leakcheck_compare))]
    {
        let _untracked = Untracked::new();
        unwind::compare_with_platform(cache, from, base);
    }
    unchanged
}

/// Returns `false`, because the platform's unwinder does not detect an unchanged stack.
#[cold]
#[inline(never)]
fn walk_by_platform(cache: &mut WalkCache, from: &Registers, base: usize) -> bool {
    // The unwinder may allocate, which must not start another walk.
    let _untracked = Untracked::new();
    unwind::walk_by_platform(cache, from, base);
    false
}

#[cold]
#[inline(never)]
fn allocated_slow(thread: &Thread, size: usize, header_addr: usize, from: &Registers) -> Tag {
    // This precedes the first refresh, which lets no thread onto the fast path in a thorough process.
    #[cfg(holders)]
    live::decide();
    let tag = charge_slow(thread, size, from);
    #[cfg(holders)]
    live::on_alloc(thread, header_addr, size, (tag, from));
    #[cfg(not(holders))]
    let _ = header_addr;
    tag
}

fn charge_slow(thread: &Thread, size: usize, from: &Registers) -> Tag {
    if thread.untracked.get() {
        thread.event_seen.set(true);
        overhead::add_block(size + header::SIZE);
        return Tag::UNTRACKED;
    }
    let Some(shard) = refresh(thread) else {
        tally::unowned_allocated(thread, size);
        return Tag::UNOWNED;
    };
    let tag = charge(thread, shard, size, from);
    for_each_outer(shard.region(), |account| account.count_inner_allocated(size as u64));
    tag
}

#[cold]
#[inline(never)]
fn freed_slow(thread: &Thread, tag: Tag, size: usize, header_addr: usize, from: &Registers) {
    #[cfg(holders)]
    live::on_free(header_addr, size);
    #[cfg(not(holders))]
    let _ = header_addr;
    discharge_slow(thread, tag, size, from);
}

fn discharge_slow(thread: &Thread, tag: Tag, size: usize, from: &Registers) {
    if tag == Tag::UNTRACKED {
        overhead::remove_block(size + header::SIZE);
        return;
    }
    if !thread.started.get() {
        thread.ensure_started();
        adopt(thread, tag.owner());
    }
    let mut region = 0;
    if !thread.untracked.get() {
        region = refresh(thread).map_or(0, Shard::region);
        tally::freed(thread, tag.owner(), region, size);
    }
    if tag.owner() != region {
        release(thread, tag.owner(), region, size as u64, from);
    }
    if let Some(record) = tag.record() {
        discharge(thread, record, size as u64);
    }
}

#[cold]
#[inline(never)]
fn resized_slow(
    thread: &Thread,
    tag: Tag,
    (old, new): (usize, usize),
    header_addr: usize,
    from: &Registers,
) -> Tag {
    let untracked = thread.untracked.get();
    if tag == Tag::UNTRACKED && untracked {
        overhead::remove_block(old + header::SIZE);
        overhead::add_block(new + header::SIZE);
        return tag;
    }
    let region = if untracked { 0 } else { refresh(thread).map_or(0, Shard::region) };
    if tag == Tag::UNTRACKED || (region != tag.owner() && region != 0) {
        // The block moves from another region, or from none, to this one. That counts as a release
        // and an allocation.
        #[cfg(holders)]
        if live::is_thorough() {
            discharge_slow(thread, tag, old, from);
            let tag = charge_slow(thread, new, from);
            live::on_owner_change(thread, header_addr, (tag, from));
            return tag;
        }
        freed_in_rust(tag, old, header_addr, from);
        return tag_for(new, header_addr, from);
    }
    if !untracked {
        tally::resized(thread, tag.owner(), region, old, new);
    }
    match tag.record() {
        Some(record) => resize(thread, record, region, (old as u64, new as u64), from),
        None => tag,
    }
}

/// Updates the thread's state to the current epoch, and returns its shard of its current region.
#[inline(never)]
fn refresh(thread: &Thread) -> Option<&'static Shard> {
    thread.ensure_started();
    let epoch = EPOCH.as_atomic().load(std::sync::atomic::Ordering::SeqCst);
    let any_open = any_region_open();
    let region = if any_open { thread.current_region() } else { 0 };
    let shard = thread.attach(region);
    let capture = match capture_mode() {
        CaptureMode::Full => CAPTURE_ALL,
        CaptureMode::Sampled => CAPTURE_SAMPLED,
        CaptureMode::Off => 0,
    };
    let count_process = if process_region() != 0 { COUNT_PROCESS } else { 0 };
    thread.flags.set(capture | count_process);
    let fast = match shard {
        // The fast path does not count for outer regions.
        Some(shard) => account::get(shard.region()).is_some_and(|account| account.parent() == 0),
        None => !any_open || thread.is_harness(),
    };
    #[cfg(holders)]
    let fast = fast && !live::is_thorough();
    thread.seen_epoch.set(if fast { epoch } else { 0 });
    shard
}

/// Returns the call site that the thread is executing, 0 if it is in no region or the call site is
/// unknown. It captures the stack as for a large block, which is never left to sampling.
pub fn current_site(thread: &Thread, from: &Registers) -> SiteId {
    let Some(shard) = refresh(thread) else { return 0 };
    current_record(thread, shard, sample::LARGE, from).map_or(0, Record::site)
}

/// Puts a new thread into the region `owner`, on platforms where the start of threads is not
/// tracked. The first event of a thread of the standard library frees a block that its parent
/// allocated, so the owner of that block is the region that started the thread.
fn adopt(thread: &Thread, owner: RegionId) {
    let adopts = !running::are_tracked() && thread.region.get() == 0;
    if let Some(account) = account::get(owner).filter(|account| adopts && account.is_open()) {
        account.add_reference();
        thread.region.set(owner);
    }
}

/// Calls `count` for each account around a region, from the inside out.
fn for_each_outer(region: RegionId, mut count: impl FnMut(&Account)) {
    let mut next = account::get(region).map_or(0, Account::parent);
    while let Some(account) = account::get(next) {
        next = account.parent();
        count(account);
    }
}

/// Subtracts a block from the figures of its owner and of the regions around it. The record comes
/// last if another thread owns it, because without live blocks it and its account may be reused at
/// once.
fn discharge(thread: &Thread, record: &Record, size: u64) {
    let owner = record.owner();
    for_each_outer(owner, |account| account.count_inner_freed(size));
    match thread.shard.get() {
        Some(shard) if record.belongs_to(shard) => shard.freed(record, size),
        Some(shard) if owner == shard.region() => shard.freed_elsewhere(record, size),
        _ => {
            account::get(owner).inspect(|account| _ = account.add_live(-(size as i64)));
            record.count_freed_elsewhere(size);
        }
    }
}

/// Counts a block that `region` frees without owning it, for `region` and for each region around it
/// that does not own the block either.
fn release(thread: &Thread, owner: RegionId, region: RegionId, size: u64, from: &Registers) {
    if region == 0 || account::is_inside(owner, region) {
        return;
    }
    let site = current_site(thread, from);
    let mut next = region;
    while let Some(account) = account::get(next) {
        if account::is_inside(owner, next) {
            return;
        }
        release::count(next, account, site, size);
        account.count_released(size);
        next = account.parent();
    }
}

/// Resizes a block on a thread that is in the owner's region, or in none.
fn resize(
    thread: &Thread,
    record: &'static Record,
    region: RegionId,
    (old, new): (u64, u64),
    from: &Registers,
) -> Tag {
    let owner = record.owner();
    for_each_outer(owner, |account| account.count_inner_resized(old, new));
    // A block belongs to the call site of its latest reallocation, but a thread without a region
    // leaves it in its record.
    let shard = thread.shard.get().filter(|_| region != 0);
    match (shard, shard.and_then(|shard| current_record(thread, shard, new as usize, from))) {
        (Some(shard), Some(to)) if record.belongs_to(shard) => {
            shard.resized(record, to, old, new);
            Tag::of(to)
        }
        (Some(shard), Some(to)) => {
            to.count_allocated(new);
            shard.moved_in(old, new);
            record.count_freed_elsewhere(old);
            Tag::of(to)
        }
        _ => {
            account::get(owner).inspect(|account| account.count_resized_elsewhere(old, new));
            record.count_resized_elsewhere(old, new);
            Tag::of(record)
        }
    }
}
