//! A table of fixed length, in memory of the system's that nobody counts, made before it is needed.

use std::ffi::c_int;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::arena::Zeroed;

pub struct Table<T> {
    start: AtomicPtr<T>,
    length: usize,
}

impl<T: Zeroed> Table<T> {
    pub const fn new(length: usize) -> Self {
        Self { start: AtomicPtr::new(null_mut()), length }
    }

    /// Makes the table. It takes address space only; pages come with their first use. Without memory for it
    /// there is no table.
    pub fn prepare(&self) {
        if !self.start.load(Ordering::Acquire).is_null() {
            return;
        }
        const ACCESS: c_int = libc::PROT_READ | libc::PROT_WRITE;
        const KIND: c_int = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let size = self.length * size_of::<T>();
        // SAFETY: asks for fresh memory at any place.
        let fresh = unsafe { libc::mmap(null_mut(), size, ACCESS, KIND, -1, 0) };
        if fresh == libc::MAP_FAILED {
            return;
        }
        let published = self.start.compare_exchange(
            null_mut(),
            fresh.cast(),
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        if published.is_err() {
            // SAFETY: another thread's table won, so that nobody else has seen this one.
            unsafe { libc::munmap(fresh, size) };
        }
    }

    /// `None` where there is no table, or not as many entries.
    #[inline(always)]
    pub fn get(&self, index: usize) -> Option<&T> {
        let start = self.start.load(Ordering::Acquire);
        if start.is_null() || index >= self.length {
            return None;
        }
        // SAFETY: the table has `length` entries.
        let entry = unsafe { start.add(index) };
        // SAFETY: the memory was zeroed, which `Zeroed` makes a valid value, is aligned to a page, and is never
        // unmapped. `T: Sync`, and nobody holds an exclusive reference.
        Some(unsafe { &*entry })
    }
}
