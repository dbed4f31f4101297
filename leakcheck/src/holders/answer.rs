//! What the child of a snapshot tells its parent: fixed-size entries in memory that both see.

use std::mem::offset_of;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::class::Class;
use crate::stack::site::SiteId;

/// The most threads whose stacks are looked at.
pub(super) const MOST_THREADS: usize = 4096;
/// The most groups that are told.
pub(super) const MOST_GROUPS: usize = 2048;
/// The most steps of a path that are told.
pub(super) const MOST_STEPS: usize = 16;

/// The child is at work.
pub(super) const WORKING: u32 = 0;
/// The answer is whole.
pub(super) const DONE: u32 = 1;
/// There was no memory for it.
pub(super) const NO_MEMORY: u32 = 2;
/// There was no time for it.
pub(super) const NO_TIME: u32 = 3;

/// The blocks of a call site that have the same holder.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) site: SiteId,
    pub(super) class: u32,
    pub(super) blocks: u64,
    pub(super) bytes: u64,
    /// What would go with them, themselves included.
    pub(super) retained_blocks: u64,
    pub(super) retained_bytes: u64,
    /// The index of the root that the path begins in, and the address there.
    pub(super) root: u32,
    pub(super) steps: u32,
    pub(super) place: u64,
    /// How many steps in the middle of the path are left out.
    pub(super) omitted: u64,
    /// How many blocks the cycle has, where it is one.
    pub(super) members: u64,
    /// From the root to the block, or around the cycle.
    pub(super) path: [Step; MOST_STEPS],
}

/// A block on a path.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Step {
    pub(super) block: u64,
    pub(super) size: u64,
    pub(super) site: SiteId,
    /// Where in the block before it the pointer to this one is, in words.
    pub(super) at: u32,
}

impl Group {
    pub(super) fn class(&self) -> Class {
        Class::from_number(self.class as u8)
    }
}

#[repr(C)]
struct Shared {
    state: AtomicU32,
    groups: AtomicU32,
    /// Set by the parent when the second readings are there.
    read_again: AtomicU32,
    /// Blocks whose group there was no room for.
    untold: AtomicU32,
    stack_pointers: [AtomicU64; MOST_THREADS],
    list: [Group; MOST_GROUPS],
}

/// The memory that both processes see.
#[derive(Debug)]
pub(super) struct Answer {
    place: NonNull<Shared>,
}

impl Answer {
    /// `None` where there is no memory.
    pub(super) fn new() -> Option<Self> {
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: asks for fresh memory wherever there is room.
        let place = unsafe { libc::mmap(null_mut(), size_of::<Shared>(), access, flags, -1, 0) };
        if place == libc::MAP_FAILED {
            return None;
        }
        Some(Self { place: NonNull::new(place.cast())? })
    }

    fn shared(&self) -> &Shared {
        // SAFETY: mapped for one of them, all zeros is a value, and what both sides write meanwhile
        // is atomic; the list is the child's until it is done.
        unsafe { self.place.as_ref() }
    }

    pub(super) fn state(&self) -> u32 {
        self.shared().state.load(Ordering::Acquire)
    }

    pub(super) fn set_state(&self, state: u32) {
        self.shared().state.store(state, Ordering::Release);
    }

    /// A futex wakes who waits for the state.
    pub(super) fn futex(&self) -> *mut u32 {
        self.shared().state.as_ptr()
    }

    pub(super) fn read_again(&self, thread: usize, stack_pointer: usize) {
        if let Some(place) = self.shared().stack_pointers.get(thread) {
            place.store(stack_pointer as u64, Ordering::Relaxed);
        }
    }

    pub(super) fn all_read_again(&self) {
        self.shared().read_again.store(1, Ordering::Release);
    }

    /// The stack pointer of a thread after the snapshot; `None` before it was read.
    pub(super) fn later_stack_pointer(&self, thread: usize) -> Option<usize> {
        let shared = self.shared();
        let read = shared.read_again.load(Ordering::Acquire) != 0;
        let place = shared.stack_pointers.get(thread).filter(|_| read)?;
        Some(place.load(Ordering::Relaxed) as usize)
    }

    pub(super) fn count_untold(&self) {
        self.shared().untold.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds an empty group; for the child. `None` when there is no more room.
    pub(super) fn add(&self) -> Option<usize> {
        let index = self.shared().groups.load(Ordering::Relaxed) as usize;
        if index == MOST_GROUPS {
            return None;
        }
        self.shared().groups.store(index as u32 + 1, Ordering::Release);
        Some(index)
    }

    /// For the child.
    #[allow(clippy::mut_from_ref, reason = "one thread of one process has the list at a time")]
    pub(super) fn group(&self, index: usize) -> &mut Group {
        let list = self.place.as_ptr().cast::<u8>();
        // SAFETY: the list lies there.
        let list = unsafe { list.add(offset_of!(Shared, list)) }.cast::<Group>();
        // SAFETY: the index is less than the number of groups, and the caller holds one at a time.
        let group = unsafe { list.add(index.min(MOST_GROUPS - 1)) };
        // SAFETY: as above.
        unsafe { &mut *group }
    }

    /// For the parent, when the child is done.
    pub(super) fn groups(&self) -> &[Group] {
        let shared = self.shared();
        let count = shared.groups.load(Ordering::Acquire) as usize;
        &shared.list[..count.min(MOST_GROUPS)]
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, and nobody else has it.
        unsafe { libc::munmap(self.place.as_ptr().cast(), size_of::<Shared>()) };
    }
}
