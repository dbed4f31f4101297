//! Counts unowned threads, which are those that were started outside of any region.
//!
//! A region had the process to itself if each unowned thread has since opened a region of its own.

use std::sync::atomic::{AtomicU64, Ordering};

static STARTED: AtomicU64 = AtomicU64::new(0);
static OPENED_REGION: AtomicU64 = AtomicU64::new(0);
static ENDED: AtomicU64 = AtomicU64::new(0);

/// Records that an unowned thread is about to start.
pub fn started() {
    STARTED.fetch_add(1, Ordering::SeqCst);
}

/// Records that an unowned thread is about to open a region.
pub(crate) fn opens_region() {
    OPENED_REGION.fetch_add(1, Ordering::SeqCst);
}

/// Records that an unowned thread has ended, or that starting it failed.
pub fn ended() {
    ENDED.fetch_add(1, Ordering::SeqCst);
}

/// Returns how many unowned threads have ended without opening a region.
pub fn ended_count() -> u64 {
    ENDED.load(Ordering::SeqCst)
}

/// Returns whether an unowned thread is running that has opened no region.
pub fn any_alive() -> bool {
    let ended = ENDED.load(Ordering::SeqCst);
    STARTED.load(Ordering::SeqCst) != ended + OPENED_REGION.load(Ordering::SeqCst)
}
