//! Memory for the child of a snapshot, mapped directly and released when the child exits.

use std::ptr::{NonNull, null_mut};

use leakcheck_ledger::packed_size::PackedSize;

/// An array of integers with a fixed length, initially all zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Array<T> {
    start: NonNull<T>,
    len: usize,
}

/// A type like an integer, of which zeroed memory is a value.
pub(crate) trait Number: Copy + 'static {}

impl Number for u8 {}
impl Number for u32 {}
impl Number for u64 {}
impl Number for usize {}
impl Number for PackedSize {}

impl<T: Number> Array<T> {
    /// Maps an array, or returns `None` if there is no memory.
    pub(crate) fn new(len: usize) -> Option<Self> {
        let bytes = len.max(1).checked_mul(size_of::<T>())?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: an anonymous mapping at an address of the kernel's choice overlaps no other
        // memory.
        let start = unsafe { libc::mmap(null_mut(), bytes, access, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return None;
        }
        Some(Self { start: NonNull::new(start.cast())?, len: len.max(1) })
    }

    /// Returns an element. An index out of bounds accesses the last element instead, because the
    /// child cannot report a panic.
    #[inline(always)]
    pub(crate) fn get(&self, index: usize) -> T {
        let index = if index < self.len { index } else { self.len - 1 };
        // SAFETY: the index is within the array, which stays mapped while it is in use.
        unsafe { *self.pointer_to(index) }
    }

    #[inline(always)]
    pub(crate) fn set(&self, index: usize, value: T) {
        let index = if index < self.len { index } else { self.len - 1 };
        // SAFETY: the index is within the array, which stays mapped while it is in use. The child
        // has one thread, and references into the array exist only during a call.
        unsafe { *self.pointer_to(index) = value };
    }

    /// The address of an element. Integer arithmetic avoids function calls in an unoptimized build.
    #[inline(always)]
    fn pointer_to(&self, index: usize) -> *mut T {
        (self.start.as_ptr() as usize + index * size_of::<T>()) as *mut T
    }

    /// Unmaps the array. Copies of it must not be used afterwards.
    pub(crate) fn unmap(self) {
        // SAFETY: `new` made the mapping with this size, and the caller does not use the array
        // again.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len * size_of::<T>()) };
    }
}
