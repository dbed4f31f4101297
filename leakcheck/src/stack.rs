//! Call stacks: captured as return addresses when a block is allocated, named only when a report is
//! written.

pub(crate) mod frame;
#[allow(unsafe_code, reason = "asks the dynamic linker for the module of an address")]
mod module;
#[allow(unsafe_code, reason = "says that zeroed memory is a call site, and reads published frames")]
pub(crate) mod site;
pub(crate) mod symbols;
mod symtab;
#[allow(unsafe_code, reason = "says that zeroed memory is a node")]
mod tree;
#[cfg(interposed)]
#[allow(unsafe_code, reason = "interposes dlclose")]
mod unload;
#[allow(unsafe_code, reason = "walks the stack")]
pub(crate) mod unwind;

use std::sync::atomic::{AtomicBool, Ordering};

/// The most frames of a stack that are kept: of a deeper one the newest and the oldest.
pub(crate) const MAX_FRAMES: usize = 128;

/// Of a stack that is deeper than [`MAX_FRAMES`], how many of its oldest frames are kept.
pub(crate) const OLDEST_FRAMES: usize = 32;

static OFF: AtomicBool = AtomicBool::new(false);

/// Whether call stacks are captured from now on, in the whole process.
pub(crate) fn capture_if(on: bool) {
    if OFF.swap(!on, Ordering::SeqCst) == on {
        crate::ledger::changed();
    }
}

/// Whether call stacks are captured.
pub(crate) fn are_captured() -> bool {
    !OFF.load(Ordering::SeqCst)
}
