//! What the child of a snapshot tells its parent: fixed-size entries in memory that both see.

use std::mem::offset_of;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use leakcheck_ledger::SiteId;
use leakcheck_report::Reachability;

/// The most threads whose stacks are looked at.
pub(crate) const MAX_THREADS: usize = 4096;
/// The most groups that are told.
pub(crate) const MAX_GROUPS: usize = 2048;
/// The most steps of a path that are told.
pub(crate) const MAX_STEPS: usize = 16;

/// The child is at work.
pub(crate) const WORKING: u32 = 0;
/// The answer is whole.
pub(crate) const DONE: u32 = 1;
/// There was no memory for it.
pub(crate) const NO_MEMORY: u32 = 2;
/// There was no time for it.
pub(crate) const NO_TIME: u32 = 3;

/// The blocks of a call site that have the same holder.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    pub(crate) site: SiteId,
    pub(crate) reachability: u32,
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
    /// What would go with them, themselves included.
    pub(crate) retained_blocks: u64,
    pub(crate) retained_bytes: u64,
    /// The index of the root that the path begins in, and the address there.
    pub(crate) root: u32,
    pub(crate) steps: u32,
    pub(crate) root_address: u64,
    /// How many steps in the middle of the path are left out.
    pub(crate) omitted: u64,
    /// How many blocks the cycle has, where it is one.
    pub(crate) members: u64,
    /// From the root to the block, or around the cycle.
    pub(crate) path: [Step; MAX_STEPS],
}

/// A block on a path.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Step {
    pub(crate) block: u64,
    pub(crate) size: u64,
    pub(crate) site: SiteId,
    /// Where in the block before it the pointer to this one is, in words.
    pub(crate) at: u32,
}

impl Group {
    pub(crate) fn reachability(&self) -> Reachability {
        Reachability::from_number(self.reachability as u8)
    }
}

#[repr(C)]
struct Shared {
    state: AtomicU32,
    groups: AtomicU32,
    /// Set by the parent when the second readings are there.
    all_read_again: AtomicU32,
    /// Blocks whose group there was no room for.
    omitted_blocks: AtomicU32,
    stack_pointers: [AtomicU64; MAX_THREADS],
    list: [Group; MAX_GROUPS],
}

/// The memory that both processes see.
#[derive(Debug)]
pub(crate) struct Answer {
    shared: NonNull<Shared>,
}

impl Answer {
    /// `None` where there is no memory.
    pub(crate) fn new() -> Option<Self> {
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: asks for fresh memory wherever there is room.
        let start = unsafe { libc::mmap(null_mut(), size_of::<Shared>(), access, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return None;
        }
        Some(Self { shared: NonNull::new(start.cast())? })
    }

    fn shared(&self) -> &Shared {
        // SAFETY: mapped for one of them, all zeros is a value, and what both sides write meanwhile
        // is atomic; the list is the child's until it is done.
        unsafe { self.shared.as_ref() }
    }

    pub(crate) fn state(&self) -> u32 {
        self.shared().state.load(Ordering::Acquire)
    }

    pub(crate) fn set_state(&self, state: u32) {
        self.shared().state.store(state, Ordering::Release);
    }

    /// A futex wakes who waits for the state.
    pub(crate) fn futex(&self) -> *mut u32 {
        self.shared().state.as_ptr()
    }

    pub(crate) fn set_later_stack_pointer(&self, thread: usize, stack_pointer: usize) {
        if let Some(slot) = self.shared().stack_pointers.get(thread) {
            slot.store(stack_pointer as u64, Ordering::Relaxed);
        }
    }

    pub(crate) fn finish_second_reading(&self) {
        self.shared().all_read_again.store(1, Ordering::Release);
    }

    /// The stack pointer of a thread after the snapshot; `None` before it was read.
    pub(crate) fn later_stack_pointer(&self, thread: usize) -> Option<usize> {
        let shared = self.shared();
        let read = shared.all_read_again.load(Ordering::Acquire) != 0;
        let slot = shared.stack_pointers.get(thread).filter(|_| read)?;
        Some(slot.load(Ordering::Relaxed) as usize)
    }

    pub(crate) fn count_omitted(&self) {
        self.shared().omitted_blocks.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds an empty group; for the child. `None` when there is no more room.
    pub(crate) fn add_group(&self) -> Option<usize> {
        let index = self.shared().groups.load(Ordering::Relaxed) as usize;
        if index == MAX_GROUPS {
            return None;
        }
        self.shared().groups.store(index as u32 + 1, Ordering::Release);
        Some(index)
    }

    /// For the child.
    #[allow(clippy::mut_from_ref, reason = "one thread of one process has the list at a time")]
    pub(crate) fn group(&self, index: usize) -> &mut Group {
        let list = self.shared.as_ptr().cast::<u8>();
        // SAFETY: the list lies there.
        let list = unsafe { list.add(offset_of!(Shared, list)) }.cast::<Group>();
        // SAFETY: the index is less than the number of groups, and the caller holds one at a time.
        let group = unsafe { list.add(index.min(MAX_GROUPS - 1)) };
        // SAFETY: as above.
        unsafe { &mut *group }
    }

    /// For the parent, when the child is done.
    pub(crate) fn groups(&self) -> &[Group] {
        let shared = self.shared();
        let count = shared.groups.load(Ordering::Acquire) as usize;
        &shared.list[..count.min(MAX_GROUPS)]
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, and nobody else has it.
        unsafe { libc::munmap(self.shared.as_ptr().cast(), size_of::<Shared>()) };
    }
}
