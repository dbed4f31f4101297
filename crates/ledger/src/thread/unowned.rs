//! Counts unowned threads: those that were started outside of any region.
//!
//! A region was the only one at work if every unowned thread has opened a region of its own since.

use std::sync::atomic::{AtomicU64, Ordering};

static STARTED: AtomicU64 = AtomicU64::new(0);
static OPENED: AtomicU64 = AtomicU64::new(0);
static ENDED: AtomicU64 = AtomicU64::new(0);

/// An unowned thread is being started.
pub fn started() {
    STARTED.fetch_add(1, Ordering::SeqCst);
}

/// An unowned thread is about to open a region.
pub(crate) fn opens_a_region() {
    OPENED.fetch_add(1, Ordering::SeqCst);
}

/// An unowned thread has ended, or was not started after all.
pub fn ended() {
    ENDED.fetch_add(1, Ordering::SeqCst);
}

/// How many unowned threads have ended without opening a region.
pub fn ended_count() -> u64 {
    ENDED.load(Ordering::SeqCst)
}

/// Whether an unowned thread is alive that has opened no region.
pub fn any_alive() -> bool {
    let ended = ENDED.load(Ordering::SeqCst);
    STARTED.load(Ordering::SeqCst) != ended + OPENED.load(Ordering::SeqCst)
}
