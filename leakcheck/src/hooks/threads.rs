//! The hook of `pthread_create`, which follows threads from start to end.
//!
//! A thread starts in the region of the thread that started it. It ends when its thread-specific
//! data are destroyed, which is after the destructors of thread-locals in Rust and C++.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::{c_int, c_void};
use std::ptr::without_provenance;
use std::sync::OnceLock;

use leakcheck_ledger::thread::running::{self, EntryId};
use leakcheck_ledger::thread::{self, Thread, unowned};
use leakcheck_ledger::{RegionId, epoch, events};
use leakcheck_unwind::Registers;
use libc::{EAGAIN, pthread_attr_t, pthread_key_t, pthread_t};

use crate::suite;

type StartRoutine = unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void;

/// What a new thread receives from the one that starts it, in a block of the system allocator.
struct Start {
    routine: StartRoutine,
    argument: *mut c_void,
    region: RegionId,
    by_main: bool,
    entry: EntryId,
}

hooks! {
    fn pthread_create(
        thread: *mut pthread_t,
        attributes: *const pthread_attr_t,
        routine: StartRoutine,
        argument: *mut c_void
    ) -> c_int, EAGAIN, |real| {
        running::set_tracked();
        let start = Start::new(routine, argument, &Registers::current());
        let (region, entry) = (start.region, start.entry);
        let Some(start) = start.hand_over() else {
            not_started(region, entry);
            return EAGAIN;
        };
        // SAFETY: the caller upholds the contract of `pthread_create`. `begin` expects the changed
        // argument and passes the original one to the original routine.
        let error = unsafe { real(thread, attributes, begin, start.cast()) };
        if error != 0 {
            // SAFETY: no thread was started, so `start` has not been taken.
            _ = unsafe { Start::take(start) };
            not_started(region, entry);
        }
        error
    }
}

fn not_started(region: RegionId, entry: EntryId) {
    if region == 0 {
        unowned::ended();
    }
    running::ended(entry);
}

/// The start routine of every followed thread.
///
/// # Safety
///
/// `start` must come from [`Start::hand_over`] and be given to one thread only.
unsafe extern "C-unwind" fn begin(start: *mut c_void) -> *mut c_void {
    // SAFETY: the caller guarantees that `start` comes from `hand_over` and is passed to this
    // thread only.
    let start = unsafe { Start::take(start.cast()) };
    let here = 0_u8;
    thread::with(|thread| thread.on_start(start.region, start.by_main, &raw const here as usize));
    if start.region == 0 && start.by_main {
        suite::thread_begins();
    }
    // SAFETY: `gettid` has no preconditions.
    let tid = unsafe { libc::gettid() };
    running::started(start.entry, tid, kernel_name());
    run_at_end(start.entry);
    // The stack may have belonged to another thread, whose stale pointers are still on it.
    leakcheck_holders::clear_dead();
    // SAFETY: the caller of `pthread_create` passed this routine and this argument for one call.
    let result = unsafe { (start.routine)(start.argument) };
    suite::routine_is_over();
    result
}

/// The kernel's name of the calling thread: up to 15 bytes and a zero.
fn kernel_name() -> [u64; 2] {
    let mut name = [0_u64; 2];
    // SAFETY: `name` has 16 bytes, the most that `PR_GET_NAME` writes.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    name
}

/// Arranges for [`end`] to run when the calling thread ends, however it does.
///
/// The value of the key is never null, because no destructor runs for null.
fn run_at_end(entry: EntryId) {
    static KEY: OnceLock<Option<pthread_key_t>> = OnceLock::new();
    let key = KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: `key` is writable, and `end` accepts every value that is set below.
        (unsafe { libc::pthread_key_create(&mut key, Some(end)) } == 0).then_some(key)
    });
    if let Some(key) = *key {
        // SAFETY: the key was created above and is never deleted.
        unsafe { libc::pthread_setspecific(key, without_provenance(entry as usize + 1)) };
    }
}

/// The destructor of the key: the last code that a followed thread runs.
unsafe extern "C" fn end(entry: *mut c_void) {
    thread::with(Thread::on_exit);
    // The other threads must see the figures that this one has passed to its region.
    epoch::advance();
    suite::thread_ends();
    running::ended((entry.addr() - 1) as EntryId);
}

impl Start {
    /// Collects what a thread receives from the calling one, which starts it.
    #[inline(always)]
    fn new(routine: StartRoutine, argument: *mut c_void, from: &Registers) -> Self {
        let (region, by_main) = thread::with(|thread| match thread.untracked.get() {
            true => (0, false),
            false => (thread.current_region(), thread.main.get()),
        });
        let entry = match region {
            0 => running::register_unowned(),
            _ => {
                let site = thread::with(|thread| events::current_site(thread, from));
                running::register(region, site)
            }
        };
        if region == 0 {
            unowned::started();
        }
        Self { routine, argument, region, by_main, entry }
    }

    /// Moves the value to the heap, or returns `None` when memory is exhausted.
    fn hand_over(self) -> Option<*mut Self> {
        // SAFETY: the layout has a nonzero size.
        let block = unsafe { System.alloc(Layout::new::<Self>()) }.cast::<Self>();
        if block.is_null() {
            return None;
        }
        // SAFETY: the block is new and has the layout of a `Start`.
        unsafe { block.write(self) };
        Some(block)
    }

    /// # Safety
    ///
    /// `start` must come from [`Start::hand_over`] and must not be taken twice.
    unsafe fn take(start: *mut Self) -> Self {
        // SAFETY: `hand_over` wrote a `Start` to the block, and the caller guarantees that it was
        // not taken.
        let value = unsafe { start.read() };
        // SAFETY: `hand_over` allocated the block with this layout, and its value has been moved
        // out.
        unsafe { System.dealloc(start.cast(), Layout::new::<Self>()) };
        value
    }
}
