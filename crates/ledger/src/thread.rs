//! What this thread works for.
//!
//! The state is a constant thread-local without a destructor, so that the allocator may read it at
//! any moment in the life of a thread, its first and its last ones included.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::accounts::account::{self, RegionId};
use crate::accounts::shard::{self, Shard};
use crate::epoch::{changed, process_region};
use leakcheck_system::counter::{LocalCounter, Slot};

#[allow(unsafe_code, reason = "a thread-local variable of its own")]
mod local;
#[cfg(holders)]
#[allow(unsafe_code, reason = "says that zeroed memory is an entry, and reads registers")]
pub mod memory;
#[allow(unsafe_code, reason = "says that zeroed memory is an entry")]
pub mod running;
pub mod unowned;

/// The call stack is captured.
pub const CAPTURE: u64 = 1;
/// What the thread does for its region counts for one of process scope.
pub const TALLY: u64 = 2;
/// The call stack is captured where the sample says so.
pub const SAMPLE: u64 = 4;

/// All zeros is the state of a new thread.
#[repr(C, align(64))]
pub struct Thread {
    /// The ledger's epoch that the thread has kept up with, 0 when its events go the long way.
    pub seen_epoch: LocalCounter,
    /// The shard that the thread has taken of its region.
    pub shard: Slot<Shard>,
    /// Frames above this stack address belong to the harness; 0 where the stack has no known end.
    pub stack_base: LocalCounter,
    /// What else there is to do for an event that goes the short way: [`CAPTURE`] or
    /// [`SAMPLE`], and [`TALLY`].
    pub flags: LocalCounter,
    /// The innermost region that was entered or inherited; it may be closed by now.
    pub region: Cell<RegionId>,
    /// leakcheck itself is at work: what is allocated is ours.
    pub untracked: Cell<bool>,
    /// An allocator event of this thread came by while it was quiet.
    pub witnessed: Cell<bool>,
    /// The first allocator event of the thread is over.
    pub started: Cell<bool>,
    /// The thread that the process began with.
    pub main: Cell<bool>,
    /// The thread opened an outermost region: outside of it, it works for the harness.
    opened: Cell<bool>,
    /// The main thread started the thread, outside of any region.
    started_by_main: Cell<bool>,
    /// The thread was started outside of any region, and has opened none.
    unowned: Cell<bool>,
    /// The thread is in the list of those whose memory may hold blocks.
    #[cfg(holders)]
    pub listed: Cell<bool>,
}

/// The first thread with an allocator event is the main thread: the runtime allocates before
/// `main`.
static MAIN_SEEN: AtomicBool = AtomicBool::new(false);

/// The main thread opened a region: it is the program's own, and so are the threads that it starts.
static MAIN_OPENED: AtomicBool = AtomicBool::new(false);

/// The calling thread's state. It is not to be kept: the thread may end.
#[inline(always)]
pub fn here() -> &'static Thread {
    local::here()
}

pub fn with<R>(look: impl FnOnce(&Thread) -> R) -> R {
    look(here())
}

impl Thread {
    /// To be called at the first allocator event of the thread.
    pub fn start(&self) {
        self.started.set(true);
        if !MAIN_SEEN.load(Ordering::Relaxed) {
            self.main.set(!MAIN_SEEN.swap(true, Ordering::Relaxed));
        }
    }
}

impl Thread {
    /// To be called when the thread opens an outermost region.
    pub fn opens(&self) {
        self.opened.set(true);
        if self.main.get() {
            MAIN_OPENED.store(true, Ordering::Relaxed);
        }
        changed();
    }

    /// To be called when the thread is about to open an outermost region.
    pub fn is_about_to_open(&self) {
        if self.unowned.replace(false) {
            unowned::opens_a_region();
        }
    }

    /// To be called on a new thread before any of its own code: the region that it works for, and
    /// whether the main thread started it.
    pub fn begins(&self, region: RegionId, by_main: bool, stack_base: usize) {
        self.started.set(true);
        self.region.set(region);
        self.unowned.set(region == 0);
        self.started_by_main.set(region == 0 && by_main);
        self.stack_base.set(stack_base as u64);
    }

    /// To be called when the thread's last code has run.
    pub fn ends(&self) {
        self.leave();
        self.region.set(0);
        if self.unowned.replace(false) {
            unowned::ended();
        }
    }

    /// Whether the thread, outside of regions of its own, works for the test harness. libtest's
    /// main thread runs no test, and its other threads are its own before and after a test.
    pub fn is_harness(&self) -> bool {
        self.main.get()
            || self.opened.get()
            || (self.started_by_main.get() && !MAIN_OPENED.load(Ordering::Relaxed))
    }
}

impl Thread {
    #[cfg(not(asm_hot_path))]
    const fn new() -> Self {
        Self {
            seen_epoch: LocalCounter::new(0),
            shard: Slot::empty(),
            stack_base: LocalCounter::new(0),
            flags: LocalCounter::new(0),
            region: Cell::new(0),
            untracked: Cell::new(false),
            witnessed: Cell::new(false),
            started: Cell::new(false),
            main: Cell::new(false),
            opened: Cell::new(false),
            started_by_main: Cell::new(false),
            unowned: Cell::new(false),
            #[cfg(holders)]
            listed: Cell::new(false),
        }
    }

    /// Takes a shard of the region that the thread works for from now on, 0 for none, and gives
    /// back that of another one. `None` where there is nothing to take: no region, or no
    /// memory.
    pub fn work_for(&self, region: RegionId) -> Option<&'static Shard> {
        if let Some(shard) = self.shard.get() {
            if shard.region() == region {
                shard.keep_up();
                return Some(shard);
            }
            self.leave();
        }
        let account = account::get(region)?;
        // Held first and looked at again: nobody else may hold a region of process scope.
        account.hold();
        let shard = if account.is_open() && working_for(self) == region {
            shard::take(region)
        } else {
            None
        };
        match shard {
            Some(_) => self.shard.set(shard),
            None => account.let_go(region),
        }
        shard
    }

    /// Gives back the shard that the thread has taken, and lets the next event find out what it
    /// works for.
    pub fn leave(&self) {
        self.seen_epoch.set(0);
        let Some(shard) = self.shard.get() else { return };
        self.shard.set(None);
        let region = shard.region();
        if let Some(account) = account::get(region) {
            shard.give_back(account);
            account.let_go(region);
        }
    }
}

/// The open region that the thread entered or inherited, 0 for none.
///
/// A region that was closed passes its threads on to the region around it.
pub fn entered(thread: &Thread) -> RegionId {
    let mut region = thread.region.get();
    while let Some(account) = account::get(region) {
        if account.is_open() {
            return region;
        }
        region = account.parent();
    }
    0
}

/// The open region that the thread's allocations belong to, 0 for none: its own, else the one of
/// process scope.
pub fn working_for(thread: &Thread) -> RegionId {
    let region = entered(thread);
    if region != 0 {
        return region;
    }
    let process = process_region();
    if process == 0 || thread.is_harness() { 0 } else { process }
}

/// While it lives, what this thread allocates is leakcheck's own and shows in no figure.
pub struct Untracked {
    before: bool,
}

impl Untracked {
    pub fn new() -> Self {
        let thread = here();
        thread.seen_epoch.set(0);
        Self { before: thread.untracked.replace(true) }
    }
}

impl Drop for Untracked {
    fn drop(&mut self) {
        here().untracked.set(self.before);
    }
}

/// While it lives, this thread works for a region.
pub struct Entered {
    region: RegionId,
    stack_base: u64,
}

impl Entered {
    /// Enters a region; call stacks are cut at the given stack address.
    pub fn new(region: RegionId, stack_base: usize) -> Self {
        let thread = here();
        thread.leave();
        let before = Self { region: thread.region.get(), stack_base: thread.stack_base.get() };
        thread.region.set(region);
        thread.stack_base.set(stack_base as u64);
        before
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let thread = here();
        thread.leave();
        thread.region.set(self.region);
        thread.stack_base.set(self.stack_base);
    }
}
