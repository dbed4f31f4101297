//! Delays the reuse of small blocks while all live blocks are listed.
//!
//! A stale pointer in live memory must not appear to refer to the next block at the same address.

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// The function that frees blocks: `free`, or [`free_later`] while all live blocks are listed. A
/// call through a pointer costs as much as any call into a shared library.
pub(crate) static FREE: AtomicPtr<c_void> = AtomicPtr::new(libc::free as *mut c_void);

/// The size of the largest block that is quarantined.
const MAX_SIZE: usize = 1 << 10;
const QUARANTINE_LENGTH: usize = 1 << 14;
/// An upper bound for the difference between a block's usable and requested size.
const MAX_ROUNDING: usize = 32;

/// The most recently freed small blocks, as a ring buffer.
static QUARANTINE: [AtomicPtr<c_void>; QUARANTINE_LENGTH] =
    [const { AtomicPtr::new(null_mut()) }; QUARANTINE_LENGTH];
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Starts to quarantine small blocks.
#[cfg(holders)]
pub(crate) fn start() {
    FREE.store(free_later as *mut c_void, Ordering::Release);
}

/// Quarantines a small block and frees the one that leaves the quarantine. Frees a large block at
/// once.
///
/// # Safety
///
/// As for [`libc::free`], and `start` must not be null.
pub(crate) unsafe extern "C" fn free_later(start: *mut c_void) {
    let mut freed = start;
    // SAFETY: the caller passes a live block of the C library.
    let size = unsafe { libc::malloc_usable_size(start) };
    // The ledger has cleared what the user requested. The bytes beyond that may be older than the
    // block and hold stale pointers.
    let rest = if size < MAX_ROUNDING { size } else { MAX_ROUNDING };
    // SAFETY: the last `rest` bytes of the block are within its usable size, and the caller gives
    // the block up.
    unsafe { (start as *mut u8).wrapping_add(size - rest).write_bytes(0, rest) };
    if size <= MAX_SIZE {
        let index = NEXT.fetch_add(1, Ordering::Relaxed) % QUARANTINE_LENGTH;
        freed = QUARANTINE[index].swap(start, Ordering::AcqRel);
    }
    // SAFETY: `freed` is null, the caller's block, or a block that the swap removed from the
    // quarantine, so that no other thread frees it.
    unsafe { libc::free(freed) };
}
