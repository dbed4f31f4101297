//! A table that grows without moving its entries.
//!
//! The ledger stores regions, records, call sites and threads in arenas. An index is valid for the
//! life of the process, any thread reads and appends without a lock, and the memory comes from
//! [`pages`] and never from the allocator under observation. Each chunk is twice as large as the
//! previous one, so 26 of them hold more entries than a `u32` can index. A chunk occupies no memory
//! before its entries are used, whether it is much larger than needed or several threads allocate it
//! at once and only one of them can publish its own.

use std::alloc::Layout;
use std::ops::Range;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use crate::pages;

const CHUNKS: usize = 26;

/// Types for which all zeros is a valid value.
///
/// # Safety
///
/// The all-zero bit pattern must be a valid value of the type, and the type must not need dropping.
pub unsafe trait Zeroed: Sync {}

// SAFETY: zero is a valid integer, and integers need no drop.
unsafe impl Zeroed for std::sync::atomic::AtomicUsize {}

/// A lock-free table that only grows.
pub struct Arena<T> {
    chunks: [AtomicPtr<T>; CHUNKS],
    /// The index of the next entry. Index 0 is never used, so that it can stand for "none".
    next: AtomicU32,
    /// The base-2 logarithm of the length of the first chunk.
    first_bits: u32,
}

impl<T: Zeroed> Arena<T> {
    /// Creates an empty arena whose first chunk has `2^first_bits` entries.
    pub const fn new(first_bits: u32) -> Self {
        Self {
            chunks: [const { AtomicPtr::new(null_mut()) }; CHUNKS],
            next: AtomicU32::new(1),
            first_bits,
        }
    }

    /// Returns an upper bound of the indices: all entries have an index below it.
    pub fn end(&self) -> u32 {
        self.next.load(Ordering::Acquire)
    }

    /// Appends one zeroed entry and returns its index. Returns `None` if memory or indices are
    /// exhausted.
    pub fn push(&self) -> Option<u32> {
        self.push_slice(1)
    }

    /// Appends `count` contiguous zeroed entries and returns the index of the first.
    pub fn push_slice(&self, count: u32) -> Option<u32> {
        loop {
            let index = self.next.load(Ordering::Relaxed);
            let (chunk, offset) = self.locate(index);
            let remaining = self.chunk_len(chunk) - offset;
            // If the slice does not fit into the rest of a chunk, that rest stays unused.
            let (start, step) =
                if remaining >= count { (index, count) } else { (index + remaining, remaining) };
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

    /// Returns the entry at an index that [`push`](Self::push) returned, `None` for any other
    /// index.
    #[inline(always)]
    pub fn get(&self, index: u32) -> Option<&T> {
        // This repeats `slice` for a single entry, because each call that it saves counts in an
        // unoptimized build, where every allocation comes through here.
        if index == 0 || index >= self.next.load(Ordering::Acquire) {
            return None;
        }
        let (chunk, offset) = self.locate(index);
        let start = self.chunks[chunk].load(Ordering::Acquire);
        if start.is_null() {
            return None;
        }
        // SAFETY: `locate` returns an offset below the length of the chunk.
        let entry = unsafe { start.add(offset as usize) };
        // SAFETY: chunks are allocated zeroed, which `Zeroed` makes a valid `T`, and are never
        // freed once published. `T: Sync`, and there are only shared references.
        Some(unsafe { &*entry })
    }

    /// Returns the `count` entries from `index` on, which one call of
    /// [`push_slice`](Self::push_slice) must have appended.
    pub fn slice(&self, index: u32, count: u32) -> Option<&[T]> {
        if index == 0 || index >= self.end() {
            return None;
        }
        let (chunk, offset) = self.locate(index);
        let start = self.chunks[chunk].load(Ordering::Acquire);
        if start.is_null() || self.chunk_len(chunk) - offset < count {
            return None;
        }
        // SAFETY: `locate` returns an offset below the length of the chunk.
        let first = unsafe { start.add(offset as usize) };
        // SAFETY: the chunk has at least `count` entries from `first` on, as checked above. It was
        // allocated zeroed, which `Zeroed` makes valid, and is never freed once published. `T:
        // Sync`, and there are only shared references.
        Some(unsafe { std::slice::from_raw_parts(first, count as usize) })
    }

    /// Returns an iterator over all entries.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        (1..self.end()).filter_map(|index| self.get(index))
    }

    /// Returns the memory that the chunks occupy.
    pub fn ranges(&self) -> Vec<Range<usize>> {
        let ranges = self.chunks.iter().enumerate().map(|(number, chunk)| {
            let start = chunk.load(Ordering::Acquire).addr();
            start..start + size_of::<T>() * self.chunk_len(number) as usize
        });
        ranges.filter(|range| range.start != 0).collect()
    }

    /// Returns the chunk of an index and the offset within it. Chunk `k` holds the indices from
    /// `(2^k - 1) * 2^first_bits` up to `(2^(k+1) - 1) * 2^first_bits`.
    #[inline(always)]
    fn locate(&self, index: u32) -> (usize, u32) {
        let step = (index >> self.first_bits) + 1;
        let chunk = step.ilog2();
        (chunk as usize, index - (((1 << chunk) - 1) << self.first_bits))
    }

    fn chunk_len(&self, chunk: usize) -> u32 {
        1 << (chunk as u32 + self.first_bits).min(31)
    }

    /// Returns a chunk, after allocating it if it does not exist.
    fn chunk(&self, chunk: usize) -> Option<*mut T> {
        let existing = self.chunks[chunk].load(Ordering::Acquire);
        if !existing.is_null() {
            return Some(existing);
        }
        let layout = Layout::array::<T>(self.chunk_len(chunk) as usize).ok()?;
        let fresh = pages::allocate(layout)?;
        match self.chunks[chunk].compare_exchange(
            null_mut(),
            fresh.as_ptr().cast(),
            Ordering::AcqRel,
            Ordering::Acquire,
        ) {
            Ok(_) => Some(fresh.as_ptr().cast()),
            Err(published) => {
                // SAFETY: `fresh` was allocated with this layout, and it was not published, so
                // there is no reference into it.
                unsafe { pages::free(fresh, layout) };
                Some(published)
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
    fn index_zero_is_never_used() {
        let arena = Arena::<AtomicUsize>::new(2);
        assert!(arena.get(0).is_none());
        assert_eq!(arena.push(), Some(1));
        assert!(arena.get(2).is_none());
    }

    #[test]
    fn entries_do_not_move_when_it_grows() {
        let arena = Arena::<AtomicUsize>::new(2);
        let mut entries = Vec::new();
        for value in 0..1000 {
            let index = arena.push().unwrap();
            let entry = arena.get(index).unwrap();
            entry.store(value, Ordering::Relaxed);
            entries.push((index, entry));
        }
        for (value, (index, entry)) in entries.into_iter().enumerate() {
            assert_eq!(entry.load(Ordering::Relaxed), value);
            assert!(std::ptr::eq(entry, arena.get(index).unwrap()));
        }
    }

    #[test]
    fn slices_are_contiguous() {
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
    fn no_two_threads_append_the_same_entry() {
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

    /// Returns the number of resident kilobytes of the arena's chunks.
    #[cfg(all(target_os = "linux", not(miri)))]
    fn resident<T: Zeroed>(arena: &Arena<T>) -> usize {
        let page = 4096;
        let resident_pages = |range: Range<usize>| {
            let mut pages = vec![0_u8; range.len().div_ceil(page)];
            let start = std::ptr::with_exposed_provenance_mut(range.start);
            // SAFETY: the range is a mapping, and the vector has a byte for each of its pages.
            assert_eq!(unsafe { libc::mincore(start, range.len(), pages.as_mut_ptr()) }, 0);
            pages.iter().filter(|page| **page & 1 != 0).count()
        };
        arena.ranges().into_iter().map(resident_pages).sum::<usize>() * page / 1024
    }

    #[test]
    #[cfg(all(target_os = "linux", not(miri)))]
    fn entries_that_are_not_used_occupy_no_memory() {
        #[repr(align(128))]
        struct Large(AtomicUsize, #[expect(dead_code, reason = "makes it large")] [u8; 4000]);
        // SAFETY: zero is valid for integers, which need no drop.
        unsafe impl Zeroed for Large {}
        let arena = Arena::<Large>::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let entry = arena.get(arena.push().unwrap()).unwrap();
                        entry.0.store(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let resident = resident(&arena);
        assert!((2000 * 4..2001 * 8).contains(&resident), "{resident} kB for 2,000 entries");
    }
}
