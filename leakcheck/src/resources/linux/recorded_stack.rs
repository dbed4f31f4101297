//! A call stack that is recorded where nothing may allocate or lock: in a signal handler, or in the
//! child of a fork.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use leakcheck_ledger::epoch::{Capture, capture};
use leakcheck_ledger::thread::Thread;
use leakcheck_ledger::{SiteId, call_site};
use leakcheck_unwind::{self as unwind, Registers};

/// How many frames are kept, the newest.
const FRAMES: usize = 60;

/// All zeros is an unknown one.
#[repr(C)]
pub(super) struct RecordedStack {
    /// The call site with these frames, once it was asked for.
    site: AtomicU32,
    count: AtomicU32,
    /// How many older frames there were.
    omitted: AtomicU32,
    /// The newest first.
    frames: [AtomicUsize; FRAMES],
}

impl RecordedStack {
    /// Records where the thread is. The caller must be the only one to use this value.
    pub(super) fn record(&self, thread: &Thread, from: &Registers) {
        let (mut count, mut omitted) = (0, 0);
        if capture() != Capture::Off {
            unwind::walk_by_rules(from, thread.stack_base.get() as usize, |address| {
                match self.frames.get(count as usize) {
                    Some(frame) => {
                        frame.store(address, Ordering::Relaxed);
                        count += 1;
                    }
                    None => omitted += 1,
                }
            });
        }
        self.site.store(0, Ordering::Relaxed);
        self.omitted.store(omitted, Ordering::Relaxed);
        self.count.store(count, Ordering::Relaxed);
    }

    /// The call site. Not for where nothing may allocate.
    pub(super) fn call_site(&self) -> SiteId {
        let known = self.site.load(Ordering::Relaxed);
        let count = (self.count.load(Ordering::Relaxed) as usize).min(FRAMES);
        if known != 0 || count == 0 {
            return known;
        }
        let newest = self.frames[..count].iter().map(|frame| frame.load(Ordering::Relaxed));
        let oldest_first: Vec<usize> = newest.rev().collect();
        let site =
            call_site::of_addresses(&oldest_first, self.omitted.load(Ordering::Relaxed) as usize);
        self.site.store(site, Ordering::Relaxed);
        site
    }
}
