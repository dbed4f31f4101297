//! Which process this is.
//!
//! A child of `vfork` runs in its parent's memory until it executes another program. What it opens
//! there is not its parent's.

use std::ffi::c_int;
use std::sync::atomic::{AtomicI32, Ordering};

static OWNER_OF_MEMORY: AtomicI32 = AtomicI32::new(0);

/// Records that this memory belongs to the calling process. Called when a region opens, and in the
/// child of a fork.
pub(crate) fn claim_memory() {
    OWNER_OF_MEMORY.store(id(), Ordering::Relaxed);
}

/// Whether the calling process borrows this memory from its parent.
pub(crate) fn is_borrowed() -> bool {
    OWNER_OF_MEMORY.load(Ordering::Relaxed) != id()
}

fn id() -> c_int {
    // SAFETY: `getpid` has no preconditions.
    unsafe { libc::getpid() }
}

/// Runs a closure and restores the calling thread's `errno` afterwards.
#[inline(always)]
pub(crate) fn keeping_errno(closure: impl FnOnce()) {
    // SAFETY: `__errno_location` has no preconditions.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: the pointer is valid for the life of the calling thread, which alone accesses it.
    let before = unsafe { errno.read() };
    closure();
    // SAFETY: the closure ran on the same thread, so the pointer is still this thread's `errno`.
    unsafe { errno.write(before) };
}
