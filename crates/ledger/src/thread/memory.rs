//! The addresses of a thread's memory: its control block, its stack, and its [`Thread`].

use std::ptr::from_ref;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use leakcheck_system::arena::{Arena, Zeroed};

use super::Thread;

/// A thread that has had an allocator event, identified by its thread pointer, which no other live
/// thread has.
#[repr(C)]
struct ThreadEntry {
    thread_pointer: AtomicU64,
    /// The address of the thread's [`Thread`].
    thread: AtomicU64,
    tid: AtomicI32,
    /// The next entry in the same list.
    next: AtomicU32,
}

// SAFETY: all fields are atomic integers, for which zero is valid and which need no drop.
unsafe impl Zeroed for ThreadEntry {}

static ENTRIES: Arena<ThreadEntry> = Arena::new(6);

/// The first entry of each list. A hash of the thread pointer selects the list.
static LISTS: [AtomicU32; 1 << LISTS_BITS] = [const { AtomicU32::new(0) }; 1 << LISTS_BITS];
const LISTS_BITS: u32 = 10;

/// Registers the calling thread. It neither allocates nor locks.
pub(crate) fn register(thread: &Thread) {
    if thread.registered.get() {
        return;
    }
    thread.registered.set(true);
    if let Some(entry) = entry_of(thread_pointer() as u64) {
        entry.thread.store(from_ref(thread).addr() as u64, Ordering::Relaxed);
        entry.tid.store(tid(), Ordering::Release);
    }
}

/// Returns the entry of an ended thread with this thread pointer, otherwise a new one. Returns
/// `None` if memory is exhausted. No other thread can be looking for this pointer.
fn entry_of(pointer: u64) -> Option<&'static ThreadEntry> {
    let hash = pointer.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - LISTS_BITS);
    let list = &LISTS[hash as usize];
    let mut index = list.load(Ordering::Acquire);
    while let Some(entry) = ENTRIES.get(index) {
        if entry.thread_pointer.load(Ordering::Relaxed) == pointer {
            return Some(entry);
        }
        index = entry.next.load(Ordering::Relaxed);
    }
    let new = ENTRIES.push()?;
    let entry = ENTRIES.get(new)?;
    entry.thread_pointer.store(pointer, Ordering::Relaxed);
    let mut first = list.load(Ordering::Relaxed);
    loop {
        entry.next.store(first, Ordering::Relaxed);
        match list.compare_exchange_weak(first, new, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => return Some(entry),
            Err(now) => first = now,
        }
    }
}

/// Returns the kernel's id of the calling thread.
pub fn tid() -> i32 {
    // SAFETY: `gettid` takes no arguments and only returns a number.
    unsafe { libc::gettid() }
}

/// Returns the address of the calling thread's control block.
pub fn thread_pointer() -> usize {
    let pointer: usize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: by the ABI, `fs` points to the control block and its first word is its own address.
    unsafe {
        std::arch::asm!("mov {}, fs:0", out(reg) pointer, options(nostack, pure, readonly));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: user code may read the register at any time, and reading it has no side effects.
    unsafe {
        std::arch::asm!("mrs {}, tpidr_el0", out(reg) pointer, options(nomem, nostack, pure));
    }
    pointer
}

/// Returns the upper end of the calling thread's stack, 0 if it is unknown. That is the control
/// block, or on the main thread the initial stack pointer.
pub fn stack_end(stack_pointer: usize) -> usize {
    /// Larger than any stack that is expected.
    const MAX_STACK: usize = 1 << 26;
    unsafe extern "C" {
        /// Set by the dynamic linker.
        static __libc_stack_end: *const libc::c_void;
    }
    // SAFETY: the dynamic linker writes the variable once, before any code of the program runs.
    let main = unsafe { (&raw const __libc_stack_end).read() }.addr();
    let is_stack_end = |end: &usize| *end > stack_pointer && *end - stack_pointer < MAX_STACK;
    [thread_pointer(), main].into_iter().find(is_stack_end).unwrap_or(0)
}

/// Returns the thread pointer of the thread with this id and the address of its [`Thread`], zeros
/// if they are unknown.
pub fn addresses_of(tid: i32) -> (usize, usize) {
    let found = ENTRIES.iter().find(|entry| entry.tid.load(Ordering::Acquire) == tid);
    found.map_or((0, 0), |entry| {
        let address = |field: &AtomicU64| field.load(Ordering::Relaxed) as usize;
        (address(&entry.thread_pointer), address(&entry.thread))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_pointer_has_one_entry() {
        // No thread has an odd thread pointer.
        let pointer = |n: u64| 0x7f00_0000_0001 + n * 0x1000;
        let entry = |n| from_ref(entry_of(pointer(n)).unwrap());
        let entries: Vec<_> = (0..5000).map(entry).collect();
        assert!((0..5000).map(entry).eq(entries.iter().copied()));
        assert!(entries.iter().collect::<std::collections::HashSet<_>>().len() == 5000);
    }
}
