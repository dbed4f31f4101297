//! Allocator events in, figures per region and call site out.
//!
//! The ledger knows nothing of allocators: whoever sees a block come, change its size and go says
//! so here and keeps the [`Tag`] with the block, at the `header_addr` that it names. Nothing in these functions allocates, locks,
//! panics or waits.
//!
//! Each event has a short way and a long one. The short way is for a thread whose region has not
//! changed since its last event and for blocks that are its own; it is written for builds without
//! optimisation, which tests are: inlined, and without the small calls of which the standard
//! library is made.

#[cfg(asm_hot_path)]
#[allow(unsafe_code, reason = "counts in assembly")]
mod x86_64;

use leakcheck_system::overhead;
use leakcheck_unwind::walk_cache::WalkCache;
use leakcheck_unwind::{self as unwind, Registers, Walk};

use crate::accounts::account::{self, RegionId};
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
use crate::thread::{self, CAPTURE_ALL, CAPTURE_SAMPLED, COUNT_PROCESS, Thread, Untracked};

/// A block was allocated.
#[inline(always)]
pub fn allocated(size: usize, header_addr: usize) -> Tag {
    #[cfg(asm_hot_path)]
    if !cfg!(leakcheck_compare) {
        return x86_64::allocated(size, header_addr);
    }
    allocated_in_rust(size, header_addr, &Registers::current())
}

/// A block was freed.
#[inline(always)]
pub fn freed(tag: Tag, size: usize, header_addr: usize) {
    #[cfg(asm_hot_path)]
    x86_64::freed(tag, size, header_addr);
    #[cfg(not(asm_hot_path))]
    freed_in_rust(tag, size, header_addr, &Registers::current());
}

#[inline(always)]
fn allocated_in_rust(size: usize, header_addr: usize, from: &Registers) -> Tag {
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

/// Whether a block that grows is to be moved by hand, so that nothing of it is left where it was.
#[inline(always)]
pub fn reallocates_by_copy() -> bool {
    #[cfg(holders)]
    return live::is_enabled();
    #[cfg(not(holders))]
    false
}

/// A block is about to be moved by hand: to a header_addr, from the address `left` of its old bytes.
#[cold]
pub fn copied(header_addr: usize, old: usize, new: usize, left: usize) {
    #[cfg(holders)]
    live::on_copy(header_addr, old, new, left);
    #[cfg(not(holders))]
    let _ = (header_addr, old, new, left);
}

/// A block changed its size, and perhaps its header_addr.
#[inline(always)]
pub fn resized(tag: Tag, old: usize, new: usize, header_addr: usize) -> Tag {
    let from = &Registers::current();
    let thread = thread::current();
    if thread.seen_epoch.equals(&EPOCH)
        && let Some(shard) = thread.shard.get()
        && let Some(record) = tag.record()
        && record.belongs_to(shard)
    {
        let to = record_here(thread, shard, new, from).unwrap_or(record);
        shard.resized(record, to, old as u64, new as u64);
        if thread.flags.get() & COUNT_PROCESS != 0 {
            tally::process_resized(old, new);
        }
        return Tag::of(to);
    }
    resized_slow(thread, tag, (old, new), header_addr, from)
}

/// Counts a block for the shard's region, but not for those around it.
#[inline(always)]
fn charge(thread: &Thread, shard: &'static Shard, size: usize, from: &Registers) -> Tag {
    let Some(record) = record_here(thread, shard, size, from) else { return Tag::UNOWNED };
    shard.allocated(record, size as u64);
    if thread.flags.get() & COUNT_PROCESS != 0 {
        tally::process_allocated(size);
    }
    Tag::of(record)
}

/// The record for a block that the thread allocates now; `None` when memory is used up.
#[inline(always)]
fn record_here(
    thread: &Thread,
    shard: &'static Shard,
    size: usize,
    from: &Registers,
) -> Option<&'static Record> {
    let flags = thread.flags.get();
    if flags & CAPTURE_ALL != 0 {
        shard.record_here(|cache| walk_stack(cache, from, thread))
    } else if flags & CAPTURE_SAMPLED != 0 {
        shard.record_by_sample(size, |cache| walk_stack(cache, from, thread))
    } else {
        shard.siteless()
    }
}

/// Walks the thread's stack into a cache. `true` where it is the stack that the cache held already.
#[inline(always)]
fn walk_stack(cache: &mut WalkCache, from: &Registers, thread: &Thread) -> bool {
    let base = thread.stack_base.get() as usize;
    let same = match unwind::walk(cache, from, base) {
        Walk::Same => true,
        Walk::New => false,
        Walk::NeedsPlatform => walk_by_platform(cache, from, base),
    };
    #[cfg(all(table_unwinder, leakcheck_compare))]
    {
        let _untracked = Untracked::new();
        unwind::compare_with_platform(cache, from, base);
    }
    same
}

/// Returns `false`: the stack counts as a new one.
#[cold]
#[inline(never)]
fn walk_by_platform(cache: &mut WalkCache, from: &Registers, base: usize) -> bool {
    // An unwinder that allocates must not be captured in its turn.
    let _untracked = Untracked::new();
    unwind::walk_by_platform(cache, from, base);
    false
}

#[cold]
#[inline(never)]
fn allocated_slow(thread: &Thread, size: usize, header_addr: usize, from: &Registers) -> Tag {
    // Before the thread has kept up for the first time: where blocks are listed, none goes the short
    // way.
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
        tally::allocated_by_nobody(thread, size);
        return Tag::UNOWNED;
    };
    let tag = charge(thread, shard, size, from);
    each_around(shard.region(), |account| account.count_inner_allocated(size as u64));
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
    #[cfg(holders)]
    live::on_realloc(header_addr, old, new);
    if tag == Tag::UNTRACKED && thread.untracked.get() {
        overhead::remove_block(old + header::SIZE);
        overhead::add_block(new + header::SIZE);
        return tag;
    }
    let untracked = thread.untracked.get();
    let region = if untracked { 0 } else { refresh(thread).map_or(0, Shard::region) };
    if tag == Tag::UNTRACKED || (region != tag.owner() && region != 0) {
        // The block of another region, or of none, passes to this one: a release and an allocation.
        #[cfg(holders)]
        if live::is_enabled() {
            discharge_slow(thread, tag, old, from);
            let tag = charge_slow(thread, new, from);
            live::on_owner_change(thread, header_addr, (tag, from));
            return tag;
        }
        freed_in_rust(tag, old, header_addr, from);
        return allocated_in_rust(new, header_addr, from);
    }
    if !untracked {
        tally::resized(thread, tag.owner(), region, old, new);
    }
    match tag.record() {
        Some(record) => resize(thread, record, region, (old as u64, new as u64), from),
        None => tag,
    }
}

/// Brings a thread up to date with what it works for, and returns its shard of that region.
#[inline(never)]
fn refresh(thread: &Thread) -> Option<&'static Shard> {
    thread.ensure_started();
    let epoch = EPOCH.as_atomic().load(std::sync::atomic::Ordering::SeqCst);
    let any = any_region_open();
    let region = if any { thread.current_region() } else { 0 };
    let shard = thread.attach(region);
    let capture = match capture_mode() {
        CaptureMode::Full => CAPTURE_ALL,
        CaptureMode::Sampled => CAPTURE_SAMPLED,
        CaptureMode::Off => 0,
    };
    let tally = if process_region() != 0 { COUNT_PROCESS } else { 0 };
    thread.flags.set(capture | tally);
    let short = match shard {
        // What an inner region does counts for those around it too.
        Some(shard) => account::get(shard.region()).is_some_and(|account| account.parent() == 0),
        None => !any || thread.is_harness(),
    };
    #[cfg(holders)]
    let short = short && !live::is_enabled();
    thread.seen_epoch.set(if short { epoch } else { 0 });
    shard
}

/// The call site that this thread is at, 0 when it works for no region or it cannot be told. It is
/// known for certain, as that of a large block.
pub fn current_site(thread: &Thread, from: &Registers) -> SiteId {
    let Some(shard) = refresh(thread) else { return 0 };
    record_here(thread, shard, sample::LARGE, from).map_or(0, Record::site)
}

/// Where threads are not followed from their start: the first event of a new thread of std's is the
/// free of a block that its parent allocated, so the block's owner is the region that the thread
/// was started in.
fn adopt(thread: &Thread, owner: RegionId) {
    let adopts = !thread::running::are_tracked() && thread.region.get() == 0;
    if let Some(account) = account::get(owner).filter(|account| adopts && account.is_open()) {
        account.add_reference();
        thread.region.set(owner);
    }
}

/// The accounts of the regions around a region, from the inside out.
fn each_around(region: RegionId, mut count: impl FnMut(&account::Account)) {
    let mut next = account::get(region).map_or(0, account::Account::parent);
    while let Some(account) = account::get(next) {
        next = account.parent();
        count(account);
    }
}

/// Takes a block off its owner's figures and off those of the regions around it. The record of a
/// block that is not this thread's own comes last: without live blocks, it and its account may be
/// used again at once.
fn discharge(thread: &Thread, record: &Record, size: u64) {
    let owner = record.owner();
    each_around(owner, |account| account.count_inner_freed(size));
    match thread.shard.get() {
        Some(shard) if record.belongs_to(shard) => shard.freed(record, size),
        Some(shard) if owner == shard.region() => shard.freed_elsewhere(record, size),
        _ => {
            account::get(owner).inspect(|account| _ = account.add_live(-(size as i64)));
            record.count_freed_elsewhere(size);
        }
    }
}

/// Counts a block that `region` freed without owning it, for `region` and for those around it that
/// do not own it either.
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

/// A block changes its size for a thread that works for its owner, or for no region.
fn resize(
    thread: &Thread,
    record: &'static Record,
    region: RegionId,
    (old, new): (u64, u64),
    from: &Registers,
) -> Tag {
    let owner = record.owner();
    each_around(owner, |account| account.count_inner_resized(old, new));
    // The block belongs to the header_addr that grew it last; a thread without a region leaves it where
    // it was.
    let shard = thread.shard.get().filter(|_| region != 0);
    match (shard, shard.and_then(|shard| record_here(thread, shard, new as usize, from))) {
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
