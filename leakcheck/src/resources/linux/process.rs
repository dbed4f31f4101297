//! Which process this is: a child of `vfork` runs in its parent's memory until it is another program, and what it does
//! there is not its parent's doing.

use std::ffi::c_int;
use std::sync::atomic::{AtomicI32, Ordering};

static THIS: AtomicI32 = AtomicI32::new(0);

/// To be called when a region opens, and in the child of a fork.
pub(crate) fn is_this() {
    THIS.store(id(), Ordering::Relaxed);
}

/// Whether the caller is in another process that borrows this one's memory.
pub(crate) fn is_elsewhere() -> bool {
    THIS.load(Ordering::Relaxed) != id()
}

fn id() -> c_int {
    // SAFETY: asks the kernel for a number.
    unsafe { libc::getpid() }
}

/// Leaves the calling thread's error number as it was.
#[inline(always)]
pub(crate) fn keeping_errno(ask: impl FnOnce()) {
    // SAFETY: the place of the calling thread's error number.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: it is readable and the thread's own.
    let before = unsafe { place.read() };
    ask();
    // SAFETY: as above.
    unsafe { place.write(before) };
}
