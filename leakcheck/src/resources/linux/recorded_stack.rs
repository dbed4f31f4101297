//! Call stacks recorded in signal handlers and children of `fork`, where leakcheck must not
//! allocate or lock.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use leakcheck_ledger::epoch::{CaptureMode, capture_mode};
use leakcheck_ledger::thread::Thread;
use leakcheck_ledger::{SiteId, call_site};
use leakcheck_unwind::{self as unwind, Registers};

/// The number of innermost frames that are kept.
const FRAMES: usize = 60;

/// A call stack. Zeroed memory is a value: no stack is recorded.
#[repr(C)]
pub(super) struct RecordedStack {
    /// The call site of this stack, once [`call_site`](Self::call_site) has looked it up.
    site: AtomicU32,
    count: AtomicU32,
    /// The number of outer frames that did not fit.
    omitted: AtomicU32,
    /// Return addresses, innermost first.
    frames: [AtomicUsize; FRAMES],
}

impl RecordedStack {
    /// Records the stack of the calling thread. No other thread may write this value meanwhile.
    pub(super) fn record(&self, thread: &Thread, from: &Registers) {
        let (mut count, mut omitted) = (0, 0);
        if capture_mode() != CaptureMode::Off {
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

    /// The call site, or 0 where no stack is recorded. This may allocate.
    pub(super) fn call_site(&self) -> SiteId {
        let known = self.site.load(Ordering::Relaxed);
        let count = (self.count.load(Ordering::Relaxed) as usize).min(FRAMES);
        if known != 0 || count == 0 {
            return known;
        }
        let newest = self.frames[..count].iter().map(|frame| frame.load(Ordering::Relaxed));
        let oldest_first: Vec<usize> = newest.rev().collect();
        let site = call_site::intern_addresses(
            &oldest_first,
            self.omitted.load(Ordering::Relaxed) as usize,
        );
        self.site.store(site, Ordering::Relaxed);
        site
    }
}
