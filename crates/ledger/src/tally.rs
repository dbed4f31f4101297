//! Counts over the whole process, kept by `stats_alloc` and only while a region is open.
//!
//! `stats_alloc` counts before it calls the allocator underneath and does not look at what comes
//! back, so that a failed allocation would count. It is therefore told of an event after the block
//! is known to be there: underneath it sits [`NullAlloc`], which hands out nothing.

use std::alloc::{GlobalAlloc, Layout};
use std::ptr::without_provenance_mut;

use stats_alloc::StatsAlloc;

use crate::accounts::account::{self, RegionId};
use crate::epoch::{any_region_open, process_region};
use crate::thread::Thread;

/// Events of every thread but the harness's, while a region of process scope is open.
pub static PROCESS: StatsAlloc<NullAlloc> = StatsAlloc::new(NullAlloc);

/// Events of threads that work for no open region, with blocks that no open region owns.
pub static UNATTRIBUTED: StatsAlloc<NullAlloc> = StatsAlloc::new(NullAlloc);

/// Stands where `stats_alloc` expects an allocator; nothing is ever read or written through its
/// pointers.
#[derive(Debug)]
pub struct NullAlloc;

// SAFETY: the methods neither touch memory nor unwind. The pointers that they return are never
// dereferenced: the only callers are in this file and drop them.
unsafe impl GlobalAlloc for NullAlloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        without_provenance_mut(layout.align())
    }

    unsafe fn dealloc(&self, _ptr: *mut u8, _layout: Layout) {}

    unsafe fn realloc(&self, ptr: *mut u8, _layout: Layout, _new_size: usize) -> *mut u8 {
        ptr
    }
}

/// A thread that works for a region allocated a block while a region of process scope is open.
pub(crate) fn process_allocated(size: usize) {
    add(&PROCESS, size);
}

/// A thread freed a block of the region that it works for, while a region of process scope is open.
pub(crate) fn process_freed(size: usize) {
    remove(&PROCESS, size);
}

/// A thread changed the size of a block of the region that it works for, while a region of process
/// scope is open.
pub(crate) fn process_resized(old: usize, new: usize) {
    resize(&PROCESS, old, new);
}

/// A thread that works for no region allocated a block. One of process scope would be what it works
/// for, or the thread is the harness's.
pub(crate) fn allocated_by_nobody(thread: &Thread, size: usize) {
    if any_region_open() && !thread.is_harness() {
        add(&UNATTRIBUTED, size);
    }
}

/// A thread that works for `region` freed a block of `owner`.
pub(crate) fn freed(thread: &Thread, owner: RegionId, region: RegionId, size: usize) {
    if !any_region_open() {
        return;
    }
    let harness = thread.is_harness();
    if region == 0 && !harness && !is_open(owner) {
        remove(&UNATTRIBUTED, size);
    }
    if counts_for_process(owner, region, harness) {
        remove(&PROCESS, size);
    }
}

/// A thread that works for `region` changed the size of a block of `owner`.
pub(crate) fn resized(thread: &Thread, owner: RegionId, region: RegionId, old: usize, new: usize) {
    if !any_region_open() {
        return;
    }
    let harness = thread.is_harness();
    if region == 0 && !harness && !is_open(owner) {
        resize(&UNATTRIBUTED, old, new);
    }
    if counts_for_process(owner, region, harness) {
        resize(&PROCESS, old, new);
    }
}

fn is_open(owner: RegionId) -> bool {
    account::get(owner).is_some_and(account::Account::is_open)
}

fn counts_for_process(owner: RegionId, region: RegionId, harness: bool) -> bool {
    let process = process_region();
    process != 0 && (region != 0 || !harness || account::is_inside(owner, process))
}

/// `stats_alloc` reads nothing of a layout but its size.
fn layout(size: usize) -> Layout {
    Layout::array::<u8>(size).unwrap_or(Layout::new::<u8>())
}

fn add(tally: &StatsAlloc<NullAlloc>, size: usize) {
    // SAFETY: `NullAlloc` does nothing with the layout and its pointer is dropped here.
    unsafe { tally.alloc(layout(size)) };
}

fn remove(tally: &StatsAlloc<NullAlloc>, size: usize) {
    // SAFETY: `NullAlloc` does nothing with pointer and layout.
    unsafe { tally.dealloc(without_provenance_mut(1), layout(size)) };
}

fn resize(tally: &StatsAlloc<NullAlloc>, old: usize, new: usize) {
    // SAFETY: `NullAlloc` does nothing with pointer and layout, and returns the pointer that it is
    // given.
    unsafe { tally.realloc(without_provenance_mut(1), layout(old), new) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn net_bytes_are_allocated_minus_deallocated() {
        let tally = StatsAlloc::new(NullAlloc);
        add(&tally, 100);
        resize(&tally, 100, 400);
        resize(&tally, 400, 50);
        add(&tally, 7);
        remove(&tally, 7);
        let stats = tally.stats();
        assert_eq!(stats.bytes_allocated - stats.bytes_deallocated, 50);
        assert_eq!((stats.allocations, stats.deallocations, stats.reallocations), (2, 1, 2));
        assert_eq!(stats.bytes_reallocated, -50);
    }
}
