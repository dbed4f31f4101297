//! Follows threads from their start to their end.
//!
//! A thread starts with the region of the one that started it. It is over when its thread-specific
//! data are destroyed, which is after the destructors of Rust's and C++'s thread-locals.

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

/// What a new thread needs to know, handed over in memory of the system's.
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
        // SAFETY: the caller's promise; the start routine takes the argument that is meant for it.
        let error = unsafe { real(thread, attributes, begin, start.cast()) };
        if error != 0 {
            // SAFETY: no thread was started that could have taken it.
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

/// The first code of a followed thread.
///
/// # Safety
///
/// `start` must come from [`Start::hand_over`] and be given to one thread only.
unsafe extern "C-unwind" fn begin(start: *mut c_void) -> *mut c_void {
    // SAFETY: the caller's promise.
    let start = unsafe { Start::take(start.cast()) };
    let here = 0_u8;
    thread::with(|thread| thread.on_start(start.region, start.by_main, &raw const here as usize));
    if start.region == 0 && start.by_main {
        suite::thread_begins();
    }
    // SAFETY: asks the kernel for a number.
    let tid = unsafe { libc::gettid() };
    running::started(start.entry, tid, kernel_name());
    announce_end(start.entry);
    // Stacks are reused, with what the last thread has left there.
    leakcheck_holders::clear_dead();
    // SAFETY: the routine and its argument were given to `pthread_create` for this thread.
    let result = unsafe { (start.routine)(start.argument) };
    suite::routine_is_over();
    result
}

/// The name of this thread as the kernel knows it: up to 15 bytes and a zero.
fn kernel_name() -> [u64; 2] {
    let mut name = [0_u64; 2];
    // SAFETY: the kernel writes at most 16 bytes there.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    name
}

/// Sees to it that the end of this thread is noticed, however it ends. What is kept for that is never null, for
/// which no destructor would run.
fn announce_end(entry: EntryId) {
    static KEY: OnceLock<Option<pthread_key_t>> = OnceLock::new();
    let key = KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: `key` is writable, and the destructor accepts any value that `announce_end` sets.
        (unsafe { libc::pthread_key_create(&mut key, Some(end)) } == 0).then_some(key)
    });
    if let Some(key) = *key {
        // SAFETY: the key was created above and is never deleted.
        unsafe { libc::pthread_setspecific(key, without_provenance(entry as usize + 1)) };
    }
}

/// The last code of a followed thread.
unsafe extern "C" fn end(entry: *mut c_void) {
    thread::with(Thread::on_exit);
    // Threads of its region have to hear of what it left.
    epoch::advance();
    suite::thread_ends();
    running::ended((entry.addr() - 1) as EntryId);
}

impl Start {
    /// What a thread takes over from the calling one, which starts it.
    #[inline(always)]
    fn new(routine: StartRoutine, argument: *mut c_void, from: &Registers) -> Self {
        let (region, by_main) = thread::with(|thread| match thread.untracked.get() {
            true => (0, false),
            false => (thread.current_region(), thread.main.get()),
        });
        let entry = match region {
            0 => 0,
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

    /// `None` when memory is used up.
    fn hand_over(self) -> Option<*mut Self> {
        // SAFETY: the layout is not empty.
        let place = unsafe { System.alloc(Layout::new::<Self>()) }.cast::<Self>();
        if place.is_null() {
            return None;
        }
        // SAFETY: the block is fresh and has the layout of a `Start`.
        unsafe { place.write(self) };
        Some(place)
    }

    /// # Safety
    ///
    /// `place` must come from [`Start::hand_over`] and be taken once.
    unsafe fn take(place: *mut Self) -> Self {
        // SAFETY: `hand_over` wrote a `Start` there.
        let start = unsafe { place.read() };
        // SAFETY: `hand_over` allocated the block with this layout, and nobody reads it again.
        unsafe { System.dealloc(place.cast(), Layout::new::<Self>()) };
        start
    }
}
