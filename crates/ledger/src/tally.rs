//! Counts for the whole process, kept by `stats_alloc` while a region is open.
//!
//! `stats_alloc` counts before it calls its inner allocator and ignores the result, so it would
//! count a failed allocation. The ledger therefore reports an event to it after the fact, on top of
//! [`NullAlloc`], which returns no memory.

use std::alloc::{GlobalAlloc, Layout};
use std::ptr::without_provenance_mut;

use stats_alloc::StatsAlloc;

use crate::accounts::account::{self, Account, RegionId};
use crate::epoch::{any_region_open, process_region};
use crate::thread::Thread;

/// The events of all threads except the harness's, while a region of process scope is open.
pub static PROCESS: StatsAlloc<NullAlloc> = StatsAlloc::new(NullAlloc);

/// The events of threads in no open region, with blocks that no open region owns.
pub static UNATTRIBUTED: StatsAlloc<NullAlloc> = StatsAlloc::new(NullAlloc);

/// An allocator that `stats_alloc` wraps instead of a real one. Its pointers are never
/// dereferenced.
#[derive(Debug)]
pub struct NullAlloc;

// SAFETY: the methods neither access memory nor unwind. The returned pointers do not point to
// memory, but the only callers are in this module, and they discard them.
unsafe impl GlobalAlloc for NullAlloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        without_provenance_mut(layout.align())
    }

    unsafe fn dealloc(&self, _ptr: *mut u8, _layout: Layout) {}

    unsafe fn realloc(&self, ptr: *mut u8, _layout: Layout, _new_size: usize) -> *mut u8 {
        ptr
    }
}

/// Counts a block that a thread in a region allocated while a region of process scope is open.
pub(crate) fn process_allocated(size: usize) {
    add(&PROCESS, size);
}

/// Counts a block that a thread in the owner's region freed while a region of process scope is
/// open.
pub(crate) fn process_freed(size: usize) {
    remove(&PROCESS, size);
}

/// Counts a block that a thread in the owner's region resized while a region of process scope is
/// open.
pub(crate) fn process_resized(old: usize, new: usize) {
    resize(&PROCESS, old, new);
}

/// Counts a block that a thread in no region allocated. No region of process scope is open then,
/// unless the thread is the harness's.
pub(crate) fn unowned_allocated(thread: &Thread, size: usize) {
    if any_region_open() && !thread.is_harness() {
        add(&UNATTRIBUTED, size);
    }
}

/// Counts a block of `owner` that a thread in `region` freed.
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

/// Counts a block of `owner` that a thread in `region` resized.
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
    account::get(owner).is_some_and(Account::is_open)
}

fn counts_for_process(owner: RegionId, region: RegionId, harness: bool) -> bool {
    let process = process_region();
    process != 0 && (region != 0 || !harness || account::is_inside(owner, process))
}

/// Returns a layout of the given size, which is all that `stats_alloc` reads.
fn layout(size: usize) -> Layout {
    Layout::array::<u8>(size).unwrap_or(Layout::new::<u8>())
}

fn add(tally: &StatsAlloc<NullAlloc>, size: usize) {
    // SAFETY: `NullAlloc` accepts any layout, including an empty one, and the pointer is discarded.
    unsafe { tally.alloc(layout(size)) };
}

fn remove(tally: &StatsAlloc<NullAlloc>, size: usize) {
    // SAFETY: `NullAlloc` ignores the pointer and the layout, so they need not match an allocation.
    unsafe { tally.dealloc(without_provenance_mut(1), layout(size)) };
}

fn resize(tally: &StatsAlloc<NullAlloc>, old: usize, new: usize) {
    // SAFETY: `NullAlloc` ignores the layout and returns the pointer unread, so they need not match
    // an allocation.
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
