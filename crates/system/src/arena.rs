//! A table that grows without moving what is in it.
//!
//! The ledger keeps its regions, records, call sites and threads in arenas: an index stays valid
//! for the life of the process, any thread may read and append without a lock, and the memory comes
//! from [`System`], never from the allocator that is being watched. Chunks double in size, so that
//! 26 of them hold more entries than an index can name.

use crate::own_heap;
use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

const CHUNKS: usize = 26;

/// Types for which all bytes zero is a value.
///
/// # Safety
///
/// The all-zero bit pattern must be a valid value of the type, and the type must not need dropping.
pub unsafe trait Zeroed: Sync {}

// SAFETY: zero is a pointer-sized integer.
unsafe impl Zeroed for std::sync::atomic::AtomicUsize {}

pub struct Arena<T> {
    chunks: [AtomicPtr<T>; CHUNKS],
    /// The next index to hand out. Index 0 is never handed out: it means "none" everywhere.
    next: AtomicU32,
    /// Entries in the first chunk, as a power of two.
    first_bits: u32,
}

impl<T: Zeroed> Arena<T> {
    pub const fn new(first_bits: u32) -> Self {
        Self {
            chunks: [const { AtomicPtr::new(null_mut()) }; CHUNKS],
            next: AtomicU32::new(1),
            first_bits,
        }
    }

    /// Indices below this one were handed out.
    pub fn end(&self) -> u32 {
        self.next.load(Ordering::Acquire)
    }

    /// Appends one zeroed entry. `None` when memory or indices are used up.
    pub fn push(&self) -> Option<u32> {
        self.push_slice(1)
    }

    /// Appends `count` zeroed entries that lie side by side and returns the index of the first.
    pub fn push_slice(&self, count: u32) -> Option<u32> {
        loop {
            let index = self.next.load(Ordering::Relaxed);
            let (chunk, offset) = self.place(index);
            let room = self.chunk_len(chunk) - offset;
            // What is left of a chunk that a slice does not fit into stays unused.
            let (start, step) = if room >= count { (index, count) } else { (index + room, room) };
            let end = index.checked_add(step)?;
            if chunk + 1 >= CHUNKS {
                return None;
            }
            if self.next.compare_exchange(index, end, Ordering::AcqRel, Ordering::Relaxed).is_err()
            {
                continue;
            }
            if start == index {
                self.chunk(chunk)?;
                return Some(start);
            }
        }
    }

    /// The entry at an index that [`push`](Self::push) returned, `None` for index 0 and for those
    /// not handed out.
    #[inline(always)]
    pub fn get(&self, index: u32) -> Option<&T> {
        // As `slice`, for one entry: most of what an allocation costs in a build without
        // optimisation would be the steps on the way there.
        if index == 0 || index >= self.next.load(Ordering::Acquire) {
            return None;
        }
        let (chunk, offset) = self.place(index);
        let start = self.chunks[chunk].load(Ordering::Acquire);
        if start.is_null() {
            return None;
        }
        // SAFETY: `place` gives an offset within the chunk.
        let entry = unsafe { start.add(offset as usize) };
        // SAFETY: chunks are zeroed, which `Zeroed` makes a valid value, and never freed. `T:
        // Sync`, and nobody holds an exclusive reference.
        Some(unsafe { &*entry })
    }

    /// The `count` entries from `index` on, which one `push_slice` returned.
    pub fn slice(&self, index: u32, count: u32) -> Option<&[T]> {
        if index == 0 || index >= self.end() {
            return None;
        }
        let (chunk, offset) = self.place(index);
        let start = self.chunks[chunk].load(Ordering::Acquire);
        if start.is_null() || self.chunk_len(chunk) - offset < count {
            return None;
        }
        // SAFETY: a chunk holds `chunk_len` entries and `offset` is below that.
        let first = unsafe { start.add(offset as usize) };
        // SAFETY: the `count` entries from `first` on lie in the chunk (checked above), were
        // zeroed, which `Zeroed` makes a valid value, and chunks are never freed. `T:
        // Sync`, and nobody holds an exclusive reference.
        Some(unsafe { std::slice::from_raw_parts(first, count as usize) })
    }

    /// Where the entries are in memory.
    pub fn places(&self) -> Vec<std::ops::Range<usize>> {
        let places = self.chunks.iter().enumerate().map(|(number, chunk)| {
            let start = chunk.load(Ordering::Acquire).addr();
            start..start + size_of::<T>() * self.chunk_len(number) as usize
        });
        places.filter(|place| place.start != 0).collect()
    }

    /// Chunk `k` holds the indices from `(2^k - 1) * first` up to `(2^(k+1) - 1) * first`.
    #[inline(always)]
    fn place(&self, index: u32) -> (usize, u32) {
        let step = (index >> self.first_bits) + 1;
        let chunk = step.ilog2();
        (chunk as usize, index - (((1 << chunk) - 1) << self.first_bits))
    }

    fn chunk_len(&self, chunk: usize) -> u32 {
        1 << (chunk as u32 + self.first_bits).min(31)
    }

    fn chunk(&self, chunk: usize) -> Option<*mut T> {
        let here = self.chunks[chunk].load(Ordering::Acquire);
        if !here.is_null() {
            return Some(here);
        }
        let layout = Layout::array::<T>(self.chunk_len(chunk) as usize).ok()?;
        const { assert!(size_of::<T>() > 0, "an entry takes room") };
        // SAFETY: the layout is not empty: neither the entries (checked above) nor their number is
        // zero.
        let fresh = unsafe { System.alloc_zeroed(layout) }.cast::<T>();
        if fresh.is_null() {
            return None;
        }
        match self.chunks[chunk].compare_exchange(
            null_mut(),
            fresh,
            Ordering::AcqRel,
            Ordering::Acquire,
        ) {
            Ok(_) => {
                own_heap::table_came(layout.size());
                Some(fresh)
            }
            Err(theirs) => {
                // SAFETY: `fresh` came from `System` with this layout, and another thread's chunk
                // won, so that nobody else has seen it.
                unsafe { System.dealloc(fresh.cast(), layout) };
                Some(theirs)
            }
        }
    }
}

impl<T> std::fmt::Debug for Arena<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arena").field("next", &self.next).field("entry", &size_of::<T>()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn index_zero_is_never_handed_out() {
        let arena = Arena::<AtomicUsize>::new(2);
        assert!(arena.get(0).is_none());
        assert_eq!(arena.push(), Some(1));
        assert!(arena.get(2).is_none());
    }

    #[test]
    fn entries_stay_where_they_are_while_it_grows() {
        let arena = Arena::<AtomicUsize>::new(2);
        let mut places = Vec::new();
        for value in 0..1000 {
            let index = arena.push().unwrap();
            let entry = arena.get(index).unwrap();
            entry.store(value, Ordering::Relaxed);
            places.push((index, entry));
        }
        for (value, (index, entry)) in places.into_iter().enumerate() {
            assert_eq!(entry.load(Ordering::Relaxed), value);
            assert!(std::ptr::eq(entry, arena.get(index).unwrap()));
        }
    }

    #[test]
    fn slices_lie_side_by_side() {
        let arena = Arena::<AtomicUsize>::new(3);
        for count in [1, 3, 7, 2, 8, 5, 13] {
            let index = arena.push_slice(count).unwrap();
            let slice = arena.slice(index, count).unwrap();
            assert!(
                slice.iter().all(|entry| entry.swap(9, Ordering::Relaxed) == 0),
                "fresh entries are zero"
            );
        }
    }

    #[test]
    fn threads_never_get_the_same_entry() {
        let arena = Arena::<AtomicUsize>::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let index = arena.push().unwrap();
                        assert_eq!(arena.get(index).unwrap().fetch_add(1, Ordering::Relaxed), 0);
                    }
                });
            }
        });
        assert_eq!(arena.end(), 4001);
    }
}
