//! An arena whose entries can be freed and reused.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::arena::{Arena, Zeroed};

/// An entry that stores a link to the next free entry while it is free itself.
pub trait PoolEntry: Zeroed {
    fn next_free(&self) -> u32;
    fn set_next_free(&self, index: u32);
}

/// An [`Arena`] with a lock-free list of free entries.
pub struct Pool<T> {
    entries: Arena<T>,
    free: Stack,
}

/// A lock-free stack of free entries of a pool. All zeros is an empty stack.
///
/// The index of the first entry is in the lower half. The upper half counts changes, so that a
/// compare-exchange fails if the stack has returned to the same first entry (the ABA problem).
#[repr(transparent)]
pub struct Stack(AtomicU64);

impl<T: PoolEntry> Pool<T> {
    /// Creates an empty pool whose first chunk has `2^first_bits` entries.
    pub const fn new(first_bits: u32) -> Self {
        Self { entries: Arena::new(first_bits), free: Stack(AtomicU64::new(0)) }
    }

    /// Returns the entry at `index`, which may be free. Returns `None` for 0 and for indices that
    /// were never allocated.
    #[inline(always)]
    pub fn get(&self, index: u32) -> Option<&T> {
        self.entries.get(index)
    }

    /// Returns a free entry in the state in which it was freed, otherwise a zeroed one. Returns
    /// `None` if memory is exhausted.
    pub fn allocate(&self) -> Option<(u32, &T)> {
        self.pop(&self.free).or_else(|| {
            let index = self.entries.push()?;
            Some((index, self.entries.get(index)?))
        })
    }

    /// Makes an entry available to [`allocate`](Self::allocate). The caller must have allocated it
    /// and must not use it afterwards.
    pub fn free(&self, index: u32) {
        self.push(&self.free, index);
    }

    /// Adds an entry to a stack. The caller must have allocated it and must not use it before it is
    /// removed from the stack.
    pub fn push(&self, stack: &Stack, index: u32) {
        let Some(entry) = self.entries.get(index) else { return };
        loop {
            let head = stack.0.load(Ordering::Acquire);
            entry.set_next_free(head as u32);
            if stack.replace_head(head, index) {
                return;
            }
        }
    }

    /// Removes the entry from a stack that was added last. Returns `None` if the stack is empty.
    pub fn pop(&self, stack: &Stack) -> Option<(u32, &T)> {
        loop {
            let head = stack.0.load(Ordering::Acquire);
            let entry = self.entries.get(head as u32)?;
            // Another thread may have removed the entry in between. Then the link is meaningless,
            // and the exchange fails.
            if stack.replace_head(head, entry.next_free()) {
                return Some((head as u32, entry));
            }
        }
    }

    /// Returns an iterator over all entries, including free ones.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter()
    }

    /// Returns an upper bound of the indices, see [`Arena::end`].
    pub fn end(&self) -> u32 {
        self.entries.end()
    }

    /// Returns the memory that the pool occupies.
    pub fn ranges(&self) -> Vec<Range<usize>> {
        self.entries.ranges()
    }
}

impl Stack {
    fn replace_head(&self, head: u64, index: u32) -> bool {
        let changes = (head >> 32).wrapping_add(1);
        let new = (changes << 32) | u64::from(index);
        self.0.compare_exchange(head, new, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    impl PoolEntry for AtomicUsize {
        fn next_free(&self) -> u32 {
            self.load(Ordering::Relaxed) as u32
        }

        fn set_next_free(&self, index: u32) {
            self.store(index as usize, Ordering::Relaxed);
        }
    }

    #[test]
    fn freed_entries_are_reused_before_the_pool_grows() {
        let pool = Pool::<AtomicUsize>::new(2);
        let allocated: Vec<u32> = (0..10).map(|_| pool.allocate().unwrap().0).collect();
        let end = pool.end();
        allocated.iter().for_each(|index| pool.free(*index));
        let mut reused: Vec<u32> = (0..10).map(|_| pool.allocate().unwrap().0).collect();
        reused.reverse();
        assert_eq!(reused, allocated);
        assert_eq!(pool.end(), end);
    }

    #[test]
    fn no_two_threads_have_the_same_entry() {
        const OWNED: usize = 1 << 32;
        let pool = Pool::<AtomicUsize>::new(2);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let pool = &pool;
                scope.spawn(move || {
                    for _ in 0..2000 {
                        let (index, entry) = pool.allocate().unwrap();
                        entry.store(OWNED + thread, Ordering::Relaxed);
                        std::hint::spin_loop();
                        assert_eq!(entry.load(Ordering::Relaxed), OWNED + thread);
                        pool.free(index);
                    }
                });
            }
        });
        assert!(pool.end() <= 5, "each thread has one entry at a time");
    }
}
