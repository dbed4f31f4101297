//! Call stacks: captured as return addresses when a block is allocated, named only when a report is
//! written.

pub(crate) mod frame;
#[allow(unsafe_code, reason = "asks the dynamic linker for the module of an address")]
mod module;
#[allow(unsafe_code, reason = "says that zeroed memory is a call site, and reads published frames")]
pub(crate) mod site;
pub(crate) mod symbols;
mod symtab;
#[allow(unsafe_code, reason = "walks the stack")]
pub(crate) mod unwind;

use std::sync::atomic::{AtomicBool, Ordering};

use crate::thread::Thread;
use site::SiteId;

/// The most frames of a stack that are kept, counted from the allocation down.
pub(crate) const MAX_FRAMES: usize = 128;

static OFF: AtomicBool = AtomicBool::new(false);

/// Whether call stacks are captured from now on, in the whole process.
pub(crate) fn capture_if(on: bool) {
    OFF.store(!on, Ordering::Relaxed);
}

/// The call site of the allocation that this thread is about to make, 0 when it cannot be told.
pub(crate) fn capture(thread: &Thread) -> SiteId {
    if OFF.load(Ordering::Relaxed) {
        return 0;
    }
    // An unwinder that allocates must not be captured in its turn.
    thread.quiet.set(true);
    let frames = unwind::walk(thread.stack_base.get());
    let site = site::intern(frames.as_slice());
    thread.quiet.set(false);
    site
}
