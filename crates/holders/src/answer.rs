//! The answer of a snapshot: entries of fixed size in memory that the child shares with its parent.

use std::mem::offset_of;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use leakcheck_ledger::SiteId;
use leakcheck_report::Reachability;

/// The maximum number of threads whose stacks are scanned.
pub(crate) const MAX_THREADS: usize = 4096;
/// The maximum number of groups in an answer.
pub(crate) const MAX_GROUPS: usize = 2048;
/// The maximum number of steps of a reference path in an answer.
pub(crate) const MAX_STEPS: usize = 16;

/// The child is working.
pub(crate) const WORKING: u32 = 0;
/// The answer is complete.
pub(crate) const DONE: u32 = 1;
/// The child ran out of memory.
pub(crate) const NO_MEMORY: u32 = 2;
/// The child ran out of time.
pub(crate) const NO_TIME: u32 = 3;

/// Blocks of one call site that have the same holder.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    pub(crate) site: SiteId,
    pub(crate) reachability: u32,
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
    /// The retained size of the blocks, which includes the blocks themselves.
    pub(crate) retained_blocks: u64,
    pub(crate) retained_bytes: u64,
    /// The index of the root where the path starts.
    pub(crate) root: u32,
    pub(crate) steps: u32,
    pub(crate) root_address: u64,
    /// The number of steps missing from the middle of the path.
    pub(crate) omitted: u64,
    /// The number of blocks in the cycle, or 0.
    pub(crate) members: u64,
    /// The blocks from the root to one of the group, or around the cycle.
    pub(crate) path: [Step; MAX_STEPS],
}

/// A block on a reference path.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Step {
    pub(crate) block: u64,
    pub(crate) size: u64,
    pub(crate) site: SiteId,
    /// The index of the word in the previous block that points to this one.
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
    /// Nonzero once the parent has read all stack pointers a second time.
    all_read_again: AtomicU32,
    /// The number of blocks for whose groups there was no room.
    omitted_blocks: AtomicU32,
    stack_pointers: [AtomicU64; MAX_THREADS],
    list: [Group; MAX_GROUPS],
}

/// Memory that the parent and the child share.
#[derive(Debug)]
pub(crate) struct Answer {
    shared: NonNull<Shared>,
}

impl Answer {
    /// Maps the memory, or returns `None` if there is none.
    pub(crate) fn new() -> Option<Self> {
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: an anonymous mapping at an address of the kernel's choice overlaps no other
        // memory.
        let start = unsafe { libc::mmap(null_mut(), size_of::<Shared>(), access, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return None;
        }
        Some(Self { shared: NonNull::new(start.cast())? })
    }

    fn shared(&self) -> &Shared {
        // SAFETY: the mapping has the size of `Shared`, and zeros are a value of it. Both processes
        // write only atomics, except for the list, which the parent does not read before the child
        // is done.
        unsafe { self.shared.as_ref() }
    }

    pub(crate) fn state(&self) -> u32 {
        self.shared().state.load(Ordering::Acquire)
    }

    pub(crate) fn set_state(&self, state: u32) {
        self.shared().state.store(state, Ordering::Release);
    }

    /// The address of the state, on which the parent waits with a futex.
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

    /// The second reading of a thread's stack pointer, or `None` while it has not been taken.
    pub(crate) fn later_stack_pointer(&self, thread: usize) -> Option<usize> {
        let shared = self.shared();
        let read = shared.all_read_again.load(Ordering::Acquire) != 0;
        let slot = shared.stack_pointers.get(thread).filter(|_| read)?;
        Some(slot.load(Ordering::Relaxed) as usize)
    }

    pub(crate) fn count_omitted(&self) {
        self.shared().omitted_blocks.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds an empty group and returns its index, or `None` if the list is full. Called by the
    /// child.
    pub(crate) fn add_group(&self) -> Option<usize> {
        let index = self.shared().groups.load(Ordering::Relaxed) as usize;
        if index == MAX_GROUPS {
            return None;
        }
        self.shared().groups.store(index as u32 + 1, Ordering::Release);
        Some(index)
    }

    /// The group of an index. Called by the child, which must not hold two references at a time.
    #[allow(
        clippy::mut_from_ref,
        reason = "the child is the only user of the list and has one thread"
    )]
    pub(crate) fn group(&self, index: usize) -> &mut Group {
        let list = self.shared.as_ptr().cast::<u8>();
        // SAFETY: the offset of a field is within the structure.
        let list = unsafe { list.add(offset_of!(Shared, list)) }.cast::<Group>();
        // SAFETY: the index is limited to the length of the list.
        let group = unsafe { list.add(index.min(MAX_GROUPS - 1)) };
        // SAFETY: the list is mapped, zeros are a value of a group, and only this single-threaded
        // child accesses it while it works, one reference at a time.
        unsafe { &mut *group }
    }

    /// All groups. Called by the parent once the child is done.
    pub(crate) fn groups(&self) -> &[Group] {
        let shared = self.shared();
        let count = shared.groups.load(Ordering::Acquire) as usize;
        &shared.list[..count.min(MAX_GROUPS)]
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: `new` made the mapping with this size, and no reference into it outlives the
        // answer.
        unsafe { libc::munmap(self.shared.as_ptr().cast(), size_of::<Shared>()) };
    }
}
