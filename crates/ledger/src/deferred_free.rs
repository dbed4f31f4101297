//! What takes small blocks back while all live blocks are listed.

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// What takes blocks back. Where all live blocks are listed it is another function than `free`; a
/// pointer to call costs what a call of a library costs anyway.
pub(crate) static FREE: AtomicPtr<c_void> = AtomicPtr::new(libc::free as *mut c_void);

/// Keeps small blocks for a while before `free` has them: a pointer that nobody uses any more, left
/// in a place that is alive, must not seem to hold the next block at the same address.
#[cfg(holders)]
pub(crate) fn start() {
    FREE.store(keep as *mut c_void, Ordering::Release);
}

/// The blocks that are kept: the last ones, of at most [`KEPT_SIZE`] bytes.
static KEPT: [AtomicPtr<c_void>; KEPT_BLOCKS] = [const { AtomicPtr::new(null_mut()) }; KEPT_BLOCKS];
const KEPT_BLOCKS: usize = 1 << 14;
const KEPT_SIZE: usize = 1 << 10;
/// A block is larger than it was asked for by less than this.
const ROUNDING: usize = 32;
static NEXT_KEPT: AtomicUsize = AtomicUsize::new(0);

pub(crate) unsafe extern "C" fn keep(start: *mut c_void) {
    let mut going = start;
    // SAFETY: the block is the C library's.
    let size = unsafe { libc::malloc_usable_size(start) };
    // What the user had of it is clear; what there is beyond it, up to a few words, may have been
    // there before.
    let rest = if size < ROUNDING { size } else { ROUNDING };
    // SAFETY: the end of a block that nobody has any more.
    unsafe { (start as *mut u8).wrapping_add(size - rest).write_bytes(0, rest) };
    if size <= KEPT_SIZE {
        let place = NEXT_KEPT.fetch_add(1, Ordering::Relaxed) % KEPT_BLOCKS;
        going = KEPT[place].swap(start, Ordering::AcqRel);
    }
    // SAFETY: null, or a block of the C library's that nobody has any more.
    unsafe { libc::free(going) };
}
