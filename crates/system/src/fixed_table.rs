//! A table of fixed length in mapped memory.
//!
//! The mapping is part of no heap, so no test is charged for it, and it exists before a signal
//! handler or the child of a fork needs it.

use std::ffi::c_int;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::arena::Zeroed;

/// A lazily mapped table of zeroed entries.
pub struct FixedTable<T> {
    start: AtomicPtr<T>,
    length: usize,
}

impl<T: Zeroed> FixedTable<T> {
    /// Creates a table of `length` entries that is not mapped yet.
    pub const fn new(length: usize) -> Self {
        Self { start: AtomicPtr::new(null_mut()), length }
    }

    /// Maps the table. It reserves address space only: the kernel allocates each page when it is
    /// first used. If the mapping fails, the table stays empty.
    pub fn prepare(&self) {
        if !self.start.load(Ordering::Acquire).is_null() {
            return;
        }
        const ACCESS: c_int = libc::PROT_READ | libc::PROT_WRITE;
        const FLAGS: c_int = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let size = self.length * size_of::<T>();
        // SAFETY: an anonymous mapping at an address that the kernel chooses replaces no other one.
        let fresh = unsafe { libc::mmap(null_mut(), size, ACCESS, FLAGS, -1, 0) };
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
            // SAFETY: another thread has published its mapping first, so there is no reference to
            // this one.
            unsafe { libc::munmap(fresh, size) };
        }
    }

    /// Returns an entry, `None` if the table is not mapped or has fewer entries.
    #[inline(always)]
    pub fn get(&self, index: usize) -> Option<&T> {
        let start = self.start.load(Ordering::Acquire);
        if start.is_null() || index >= self.length {
            return None;
        }
        // SAFETY: the mapping has room for `length` entries, and `index` is less than that.
        let entry = unsafe { start.add(index) };
        // SAFETY: the mapping is zeroed, which `Zeroed` makes a valid `T`. It is aligned to a page
        // and never unmapped once published. `T: Sync`, and there are only shared references.
        Some(unsafe { &*entry })
    }
}
