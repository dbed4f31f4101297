//! What this thread works for.
//!
//! The state is a constant thread-local without a destructor, so that the allocator may read it at
//! any moment in the life of a thread, its first and its last ones included.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::ledger::account::RegionId;

#[allow(unsafe_code, reason = "says that zeroed memory is an entry")]
pub(crate) mod running;
#[cfg(interposed)]
#[allow(unsafe_code, reason = "interposes pthread_create")]
mod spawn;

/// No limit: a stack is walked to its bottom.
pub(crate) const WHOLE_STACK: usize = usize::MAX;

pub(crate) struct Thread {
    /// The innermost region that was entered or inherited; it may be closed by now.
    pub(crate) region: Cell<RegionId>,
    /// Frames above this stack address belong to the harness.
    pub(crate) stack_base: Cell<usize>,
    /// leakcheck itself is at work: what is allocated is ours.
    pub(crate) quiet: Cell<bool>,
    /// An allocator event of this thread came by while it was quiet.
    pub(crate) witnessed: Cell<bool>,
    /// The first allocator event of the thread is over.
    pub(crate) started: Cell<bool>,
    /// The thread that the process began with.
    pub(crate) main: Cell<bool>,
    /// The thread opened an outermost region: outside of it, it works for the harness.
    opened: Cell<bool>,
    /// The main thread started the thread, outside of any region.
    started_by_main: Cell<bool>,
}

thread_local! {
    static THREAD: Thread = const {
        Thread {
            region: Cell::new(0),
            stack_base: Cell::new(WHOLE_STACK),
            quiet: Cell::new(false),
            witnessed: Cell::new(false),
            started: Cell::new(false),
            main: Cell::new(false),
            opened: Cell::new(false),
            started_by_main: Cell::new(false),
        }
    };
}

/// The first thread with an allocator event is the main thread: the runtime allocates before
/// `main`.
static MAIN_SEEN: AtomicBool = AtomicBool::new(false);

/// The main thread opened a region: it is the program's own, and so are the threads that it starts.
static MAIN_OPENED: AtomicBool = AtomicBool::new(false);

#[inline(always)]
pub(crate) fn with<R>(look: impl FnOnce(&Thread) -> R) -> R {
    THREAD.with(look)
}

impl Thread {
    /// To be called at the first allocator event of the thread.
    pub(crate) fn start(&self) {
        self.started.set(true);
        if !MAIN_SEEN.load(Ordering::Relaxed) {
            self.main.set(!MAIN_SEEN.swap(true, Ordering::Relaxed));
        }
    }
}

impl Thread {
    /// To be called when the thread opens an outermost region.
    pub(crate) fn opens(&self) {
        self.opened.set(true);
        if self.main.get() {
            MAIN_OPENED.store(true, Ordering::Relaxed);
        }
    }

    /// To be called on a new thread that the main thread started outside of any region.
    #[cfg(interposed)]
    fn comes_from_main(&self) {
        self.started_by_main.set(true);
    }

    /// Whether the thread, outside of regions of its own, works for the test harness. libtest's main
    /// thread runs no test, and its other threads are its own before and after a test.
    pub(crate) fn is_harness(&self) -> bool {
        self.main.get()
            || self.opened.get()
            || (self.started_by_main.get() && !MAIN_OPENED.load(Ordering::Relaxed))
    }
}

/// While it lives, what this thread allocates is leakcheck's own and shows in no figure.
pub(crate) struct Quiet {
    before: bool,
}

impl Quiet {
    pub(crate) fn new() -> Self {
        Self { before: with(|thread| thread.quiet.replace(true)) }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        with(|thread| thread.quiet.set(self.before));
    }
}

/// While it lives, this thread works for a region.
pub(crate) struct Entered {
    region: RegionId,
    stack_base: usize,
}

impl Entered {
    /// Enters a region; call stacks are cut at the given stack address.
    pub(crate) fn new(region: RegionId, stack_base: usize) -> Self {
        with(|thread| Self {
            region: thread.region.replace(region),
            stack_base: thread.stack_base.replace(stack_base),
        })
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        with(|thread| {
            thread.region.set(self.region);
            thread.stack_base.set(self.stack_base);
        });
    }
}
