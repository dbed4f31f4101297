//! Allocator events in, figures per region and call site out.
//!
//! The ledger knows nothing of allocators: whoever sees a block come, change its size and go says
//! so here and keeps the [`Tag`] with the block. Nothing in these functions allocates, locks,
//! panics or waits.

#[allow(unsafe_code, reason = "says that zeroed memory is an account")]
pub(crate) mod account;
#[allow(unsafe_code, reason = "says that zeroed memory is a record")]
pub(crate) mod record;
#[allow(unsafe_code, reason = "gives stats_alloc an allocator that hands out nothing")]
pub(crate) mod tally;

use std::sync::atomic::{AtomicU32, Ordering};

use crate::stack;
use crate::thread::{self, Thread};
use account::{OURS, RegionId};
use record::RecordId;

/// Who owns a block and where it came from; kept with the block for its whole life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Tag {
    owner: RegionId,
    record: RecordId,
}

impl Tag {
    const UNOWNED: Self = Self { owner: 0, record: 0 };
    const OURS: Self = Self { owner: OURS, record: 0 };
}

/// How many regions are open. While it is zero nothing is counted.
pub(crate) static OPEN_REGIONS: AtomicU32 = AtomicU32::new(0);

/// The open region of process scope, which every thread without a region of its own works for.
pub(crate) static PROCESS_REGION: AtomicU32 = AtomicU32::new(0);

/// A block was allocated.
pub(crate) fn allocated(size: usize) -> Tag {
    thread::with(|thread| {
        if thread.quiet.get() {
            thread.witnessed.set(true);
            return Tag::OURS;
        }
        if !thread.started.get() {
            thread.start();
        }
        if OPEN_REGIONS.load(Ordering::Relaxed) == 0 {
            return Tag::UNOWNED;
        }
        let region = working_for(thread);
        tally::allocated(region, thread.is_harness(), size);
        if region == 0 { Tag::UNOWNED } else { charge(thread, region, size as u64) }
    })
}

/// A block was freed.
pub(crate) fn freed(tag: Tag, size: usize) {
    if tag == Tag::OURS {
        return;
    }
    thread::with(|thread| {
        if !thread.started.get() {
            thread.start();
            adopt(thread, tag);
        }
        let region = if thread.quiet.get() { 0 } else { working_for(thread) };
        if OPEN_REGIONS.load(Ordering::Relaxed) != 0 && !thread.quiet.get() {
            tally::freed(tag.owner, region, thread.is_harness(), size);
        }
        if tag.owner != region {
            release(thread, tag.owner, region, size as u64);
        }
        discharge(tag, size as u64);
    });
}

/// A block changed its size, and perhaps its place.
pub(crate) fn resized(tag: Tag, old: usize, new: usize) -> Tag {
    let stays = thread::with(|thread| {
        if !thread.started.get() {
            thread.start();
        }
        let quiet = thread.quiet.get();
        if tag == Tag::OURS {
            return quiet.then_some(tag);
        }
        let region = if quiet { 0 } else { working_for(thread) };
        if region != tag.owner && region != 0 {
            return None;
        }
        if !quiet && OPEN_REGIONS.load(Ordering::Relaxed) != 0 {
            tally::resized(tag.owner, region, thread.is_harness(), old, new);
        }
        Some(resize(thread, tag, region, old as u64, new as u64))
    });
    stays.unwrap_or_else(|| {
        // The block of another region, or of none, passes to this one: a release and an allocation.
        freed(tag, old);
        allocated(new)
    })
}

/// The open region that the thread entered or inherited, 0 for none.
///
/// A region that was closed passes its threads on to the region around it.
pub(crate) fn entered(thread: &Thread) -> RegionId {
    let mut region = thread.region.get();
    while let Some(account) = account::get(region) {
        if account.is_open() {
            return region;
        }
        region = account.parent();
    }
    0
}

/// The open region that the thread's allocations belong to, 0 for none: its own, else the one of
/// process scope.
pub(crate) fn working_for(thread: &Thread) -> RegionId {
    let region = entered(thread);
    if region != 0 {
        return region;
    }
    let process = PROCESS_REGION.load(Ordering::Acquire);
    if process == 0 || thread.is_harness() { 0 } else { process }
}

/// Where threads are not followed from their start: the first event of a new thread of std's is the
/// free of a block that its parent allocated, so the block's owner is the region that the thread
/// was started in.
fn adopt(thread: &Thread, tag: Tag) {
    let adopts = !thread::running::followed() && thread.region.get() == 0;
    if let Some(account) = account::get(tag.owner).filter(|account| adopts && account.is_open()) {
        account.hold();
        thread.region.set(tag.owner);
    }
}

fn charge(thread: &Thread, region: RegionId, size: u64) -> Tag {
    let site = stack::capture(thread);
    let record_id = if site == 0 { 0 } else { record::find_or_add(region, site) };
    if let Some(record) = record::get(record_id) {
        record.count_allocated(size);
    }
    let mut next = region;
    while let Some(account) = account::get(next) {
        next = account.parent();
        account.count_allocated(size);
    }
    Tag { owner: region, record: record_id }
}

/// Takes a block off its owner's account and those of the regions around it. The record comes first
/// and the owner's parent is read before the owner is told, because an account without live blocks
/// may be used again at once.
fn discharge(tag: Tag, size: u64) {
    if let Some(record) = record::get(tag.record) {
        record.count_freed(size);
    }
    let mut next = tag.owner;
    while let Some(account) = account::get(next) {
        next = account.parent();
        account.count_freed(size);
    }
}

/// Counts a block that `region` freed without owning it, for `region` and for those around it that
/// do not own it either.
fn release(thread: &Thread, owner: RegionId, region: RegionId, size: u64) {
    if region == 0 || account::is_inside(owner, region) {
        return;
    }
    let site = stack::capture(thread);
    let mut next = region;
    while let Some(account) = account::get(next) {
        if account::is_inside(owner, next) {
            return;
        }
        if let Some(record) = record::get(record::find_or_add(next, site)) {
            record.count_released(size);
        }
        account.count_released(size);
        next = account.parent();
    }
}

fn resize(thread: &Thread, tag: Tag, region: RegionId, old: u64, new: u64) -> Tag {
    let mut next = tag.owner;
    while let Some(account) = account::get(next) {
        next = account.parent();
        account.count_resized(old, new);
    }
    // The block belongs to the place that grew it last; a thread without a region leaves it where
    // it was.
    let site = if region == 0 { 0 } else { stack::capture(thread) };
    let record_id = if site == 0 { tag.record } else { record::find_or_add(tag.owner, site) };
    if record_id == tag.record {
        if let Some(record) = record::get(tag.record) {
            record.count_resized(old, new);
        }
        return tag;
    }
    if let Some(record) = record::get(tag.record) {
        record.count_freed(old);
    }
    if let Some(record) = record::get(record_id) {
        record.count_allocated(new);
    }
    Tag { owner: tag.owner, record: record_id }
}
