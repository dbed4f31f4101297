//! Call stacks: captured as return addresses when a block is allocated, named only when a report is
//! written.

pub(crate) mod frame;
#[allow(unsafe_code, reason = "asks the dynamic linker for the module of an address")]
mod module;
#[allow(unsafe_code, reason = "says that zeroed memory is a call site, and reads published frames")]
pub(crate) mod site;
pub(crate) mod symbols;
#[allow(unsafe_code, reason = "says that zeroed memory is a node")]
mod tree;
#[cfg(interposed)]
#[allow(unsafe_code, reason = "interposes dlclose")]
mod unload;
#[allow(unsafe_code, reason = "walks the stack")]
pub(crate) mod unwind;

use std::sync::atomic::{AtomicU8, Ordering};

/// The most frames of a stack that are kept: of a deeper one the newest and the oldest.
pub(crate) const MAX_FRAMES: usize = 128;

/// Of a stack that is deeper than [`MAX_FRAMES`], how many of its oldest frames are kept.
pub(crate) const OLDEST_FRAMES: usize = 32;

pub(crate) use leakcheck_report::Stacks;

static MODE: AtomicU8 = AtomicU8::new(Stacks::Full as u8);

/// Of which blocks call stacks are captured from now on, in the whole process.
pub(crate) fn set_mode(mode: Stacks) {
    if MODE.swap(mode as u8, Ordering::SeqCst) != mode as u8 {
        crate::ledger::changed();
    }
}

/// Of which blocks call stacks are captured.
pub(crate) fn mode() -> Stacks {
    const SAMPLED: u8 = Stacks::Sampled as u8;
    const OFF: u8 = Stacks::Off as u8;
    match MODE.load(Ordering::SeqCst) {
        SAMPLED => Stacks::Sampled,
        OFF => Stacks::Off,
        _ => Stacks::Full,
    }
}
