//! The state of the calling thread: its region and its shard of that region's account.
//!
//! The state is a const-initialized thread-local without a destructor, so the allocator can read it
//! at any time, including during the first and the last events of a thread.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use leakcheck_system::counter::{LocalCounter, LocalRef};

use crate::accounts::account::{self, RegionId};
use crate::accounts::shard::{self, Shard};
use crate::epoch::{advance, process_region};

#[allow(unsafe_code, reason = "defines a thread-local variable in assembly")]
mod local;
#[cfg(holders)]
#[allow(unsafe_code, reason = "declares a type valid when zeroed, and reads registers")]
pub mod memory;
#[allow(unsafe_code, reason = "declares a type valid when zeroed")]
pub mod running;
pub mod unowned;

/// A flag: capture the call stack of every block.
pub(crate) const CAPTURE_ALL: u64 = 1;
/// A flag: count the thread's events for the region of process scope as well.
pub(crate) const COUNT_PROCESS: u64 = 2;
/// A flag: capture the call stacks of large blocks and of a sample of the others.
pub(crate) const CAPTURE_SAMPLED: u64 = 4;

/// What the ledger knows about one thread. All zeros is the state of a new thread.
#[repr(C, align(64))]
pub struct Thread {
    /// The epoch in which the thread last refreshed its state, 0 if its events must take the slow
    /// path.
    pub(crate) seen_epoch: LocalCounter,
    /// The shard that the thread is attached to.
    pub(crate) shard: LocalRef<Shard>,
    /// The stack address above which frames belong to the harness, 0 if it is unknown.
    pub stack_base: LocalCounter,
    /// What the fast path has to do besides counting: [`CAPTURE_ALL`] or [`CAPTURE_SAMPLED`], and
    /// [`COUNT_PROCESS`].
    pub(crate) flags: LocalCounter,
    /// The innermost region that the thread entered or inherited. It may be closed by now.
    pub region: Cell<RegionId>,
    /// Whether leakcheck itself is running, so that blocks are allocated as its own.
    pub untracked: Cell<bool>,
    /// Whether the thread had an allocator event while it was untracked.
    pub event_seen: Cell<bool>,
    /// Whether the thread has had its first allocator event.
    pub(crate) started: Cell<bool>,
    /// Whether this is the main thread.
    pub main: Cell<bool>,
    /// Whether the thread has opened an outermost region. Outside of it, the thread works for the
    /// harness.
    opened_region: Cell<bool>,
    /// Whether the main thread started this one outside of any region.
    started_by_main: Cell<bool>,
    /// Whether the thread was started outside of any region and has opened none itself.
    unowned: Cell<bool>,
    /// Whether the thread is in the table of threads whose memory may contain references.
    #[cfg(holders)]
    pub(crate) registered: Cell<bool>,
}

/// Set by the first thread with an allocator event. That is the main thread, because the runtime
/// allocates before `main`.
static MAIN_SEEN: AtomicBool = AtomicBool::new(false);

/// Set when the main thread opens a region. From then on it and the threads it starts belong to the
/// program and not to a test harness.
static MAIN_OPENED_REGION: AtomicBool = AtomicBool::new(false);

/// Returns the calling thread's state.
///
/// The reference is valid only while the thread runs, so it must neither be stored nor sent to
/// another thread. Code outside of this crate uses [`with`], whose signature ensures that.
#[inline(always)]
pub(crate) fn current() -> &'static Thread {
    local::current()
}

/// Calls `f` with the calling thread's state.
#[inline(always)]
pub fn with<R>(f: impl FnOnce(&Thread) -> R) -> R {
    f(current())
}

/// Events in the life of a thread.
impl Thread {
    /// Called before the thread's state is used. On its first call in the process, the calling
    /// thread is taken for the main thread.
    pub fn ensure_started(&self) {
        if !self.started.replace(true) && !MAIN_SEEN.load(Ordering::Relaxed) {
            self.main.set(!MAIN_SEEN.swap(true, Ordering::Relaxed));
        }
    }

    /// Called on a new thread before any other code of it runs. `by_main` is whether the main
    /// thread started it.
    pub fn on_start(&self, region: RegionId, by_main: bool, stack_base: usize) {
        self.started.set(true);
        self.region.set(region);
        self.unowned.set(region == 0);
        self.started_by_main.set(region == 0 && by_main);
        self.stack_base.set(stack_base as u64);
    }

    /// Called before the thread opens an outermost region.
    pub fn before_region_opens(&self) {
        if self.unowned.replace(false) {
            unowned::opens_region();
        }
    }

    /// Called when the thread opens an outermost region.
    pub fn on_region_opened(&self) {
        self.opened_region.set(true);
        if self.main.get() {
            MAIN_OPENED_REGION.store(true, Ordering::Relaxed);
        }
        advance();
    }

    /// Called after all other code of the thread has run.
    pub fn on_exit(&self) {
        self.set_region(0);
        if self.unowned.replace(false) {
            unowned::ended();
        }
    }
}

/// The thread's region.
impl Thread {
    /// Returns whether the thread belongs to the test harness while it is in no region.
    ///
    /// libtest runs no test on the main thread, and its other threads execute its own code before
    /// and after a test.
    pub fn is_harness(&self) -> bool {
        self.main.get()
            || self.opened_region.get()
            || (self.started_by_main.get() && !MAIN_OPENED_REGION.load(Ordering::Relaxed))
    }

    /// Moves the thread to another region, 0 for none.
    pub fn set_region(&self, region: RegionId) {
        self.detach();
        self.region.set(region);
    }

    /// Returns the open region that the thread entered or inherited, 0 if there is none.
    ///
    /// The threads of a closed region belong to the region around it.
    pub fn entered_region(&self) -> RegionId {
        let mut region = self.region.get();
        while let Some(account) = account::get(region) {
            if account.is_open() {
                return region;
            }
            region = account.parent();
        }
        0
    }

    /// Returns the open region that owns what the thread allocates, 0 if there is none: the region
    /// that it entered, otherwise the one of process scope.
    pub fn current_region(&self) -> RegionId {
        let region = self.entered_region();
        if region != 0 {
            return region;
        }
        let process = process_region();
        if process == 0 || self.is_harness() { 0 } else { process }
    }
}

/// The thread's shard.
impl Thread {
    #[cfg(not(asm_hot_path))]
    const fn new() -> Self {
        Self {
            seen_epoch: LocalCounter::new(0),
            shard: LocalRef::none(),
            stack_base: LocalCounter::new(0),
            flags: LocalCounter::new(0),
            region: Cell::new(0),
            untracked: Cell::new(false),
            event_seen: Cell::new(false),
            started: Cell::new(false),
            main: Cell::new(false),
            opened_region: Cell::new(false),
            started_by_main: Cell::new(false),
            unowned: Cell::new(false),
            #[cfg(holders)]
            registered: Cell::new(false),
        }
    }

    /// Attaches the thread to a shard of `region`, after detaching it from a shard of any other
    /// region. Returns `None` if `region` is 0 or closed, or if memory is exhausted.
    pub(crate) fn attach(&self, region: RegionId) -> Option<&'static Shard> {
        if let Some(shard) = self.shard.get() {
            if shard.region() == region {
                shard.refresh();
                return Some(shard);
            }
            self.detach();
        }
        let account = account::get(region)?;
        // A region of process scope may have lost its last reference and been reused before this
        // one was added, so the region is checked again.
        account.add_reference();
        let shard = if account.is_open() && self.current_region() == region {
            shard::attach(region)
        } else {
            None
        };
        match shard {
            Some(_) => self.shard.set(shard),
            None => account.remove_reference(),
        }
        shard
    }

    /// Detaches the thread from its shard and sends its next event through the slow path, which
    /// determines the region again.
    pub(crate) fn detach(&self) {
        self.seen_epoch.set(0);
        let Some(shard) = self.shard.get() else { return };
        self.shard.set(None);
        let region = shard.region();
        if let Some(account) = account::get(region) {
            shard.detach(account);
            account.remove_reference();
        }
    }
}

/// A guard during whose life the blocks that this thread allocates are leakcheck's own and appear
/// in no figure.
pub struct Untracked {
    previous: bool,
}

impl Untracked {
    /// Stops tracking the calling thread until the guard is dropped.
    #[expect(clippy::new_without_default, reason = "a guard must not be created implicitly")]
    pub fn new() -> Self {
        let thread = current();
        thread.seen_epoch.set(0);
        Self { previous: thread.untracked.replace(true) }
    }
}

impl Drop for Untracked {
    fn drop(&mut self) {
        current().untracked.set(self.previous);
    }
}

/// A guard during whose life this thread is in a region.
pub struct EnterGuard {
    previous_region: RegionId,
    previous_stack_base: u64,
}

impl EnterGuard {
    /// Enters `region`. Call stacks end at the address `stack_base`.
    pub fn new(region: RegionId, stack_base: usize) -> Self {
        let thread = current();
        let guard = Self {
            previous_region: thread.region.get(),
            previous_stack_base: thread.stack_base.get(),
        };
        thread.set_region(region);
        thread.stack_base.set(stack_base as u64);
        guard
    }
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        let thread = current();
        thread.set_region(self.previous_region);
        thread.stack_base.set(self.previous_stack_base);
    }
}
