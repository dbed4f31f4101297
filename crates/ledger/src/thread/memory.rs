//! Where a thread's memory is: its control block, its stack, and leakcheck's state of it.

use std::ptr::from_ref;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use leakcheck_system::arena::{Arena, Zeroed};

use super::Thread;

/// A thread that has had an allocator event, known by its thread pointer, which it shares with no
/// other one that lives.
#[repr(C)]
struct Entry {
    pointer: AtomicU64,
    /// The address of what leakcheck keeps of the thread.
    thread: AtomicU64,
    tid: AtomicI32,
}

// SAFETY: the fields are atomic integers.
unsafe impl Zeroed for Entry {}

static ENTRIES: Arena<Entry> = Arena::new(6);

/// Notes the calling thread, where the list of live blocks is kept. Allocates and locks nothing.
pub fn note(thread: &Thread) {
    if thread.listed.get() {
        return;
    }
    thread.listed.set(true);
    let (pointer, tid) = (thread_pointer() as u64, tid());
    let known = |entry: &&Entry| entry.pointer.load(Ordering::Relaxed) == pointer;
    let entry = (1..ENTRIES.end()).filter_map(|index| ENTRIES.get(index)).find(known);
    if let Some(entry) = entry.or_else(|| ENTRIES.get(ENTRIES.push()?)) {
        entry.pointer.store(pointer, Ordering::Relaxed);
        entry.thread.store(from_ref(thread).addr() as u64, Ordering::Relaxed);
        entry.tid.store(tid, Ordering::Release);
    }
}

pub fn tid() -> i32 {
    // SAFETY: asks the kernel for a number.
    unsafe { libc::gettid() }
}

/// Where the calling thread's control block is.
pub fn thread_pointer() -> usize {
    let pointer: usize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: reads the first word of the control block, which by the ABI is its own address.
    unsafe {
        std::arch::asm!("mov {}, fs:0", out(reg) pointer, options(nostack, pure, readonly));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: reads a register.
    unsafe {
        std::arch::asm!("mrs {}, tpidr_el0", out(reg) pointer, options(nomem, nostack, pure));
    }
    pointer
}

/// Where the stack of the calling thread ends, which it is on: below its control block, or in the main
/// thread where the program began.
pub fn end_of_stack(stack_pointer: usize) -> usize {
    /// No stack is this large.
    const MOST: usize = 1 << 26;
    unsafe extern "C" {
        /// Set by the dynamic linker.
        static __libc_stack_end: *const libc::c_void;
    }
    // SAFETY: a word that is written once, before the program begins.
    let main = unsafe { (&raw const __libc_stack_end).read() }.addr();
    let ends = [thread_pointer(), main];
    let is_above = |end: &usize| *end > stack_pointer && *end - stack_pointer < MOST;
    ends.into_iter().find(is_above).unwrap_or(0)
}

/// The thread pointer, and where leakcheck's state of the thread is; zeros where they are not known.
pub fn places_of(tid: i32) -> (usize, usize) {
    let entries = (1..ENTRIES.end()).filter_map(|index| ENTRIES.get(index));
    let mut found = entries.filter(|entry| entry.tid.load(Ordering::Acquire) == tid);
    found.next().map_or((0, 0), |entry| {
        let word = |word: &AtomicU64| word.load(Ordering::Relaxed) as usize;
        (word(&entry.pointer), word(&entry.thread))
    })
}
