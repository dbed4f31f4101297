//! Memory for the child of a snapshot: straight from the kernel, given back with its end.

use std::ptr::{NonNull, null_mut};

/// Fixed-size arrays of plain numbers, all zero to begin with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Array<T> {
    start: NonNull<T>,
    len: usize,
}

/// A number, for which all bytes zero is a value.
pub(crate) trait Number: Copy + 'static {}

impl Number for u8 {}
impl Number for u32 {}
impl Number for u64 {}
impl Number for usize {}

impl<T: Number> Array<T> {
    /// `None` where there is no memory.
    pub(crate) fn new(len: usize) -> Option<Self> {
        let bytes = len.max(1).checked_mul(size_of::<T>())?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: asks for fresh memory wherever there is room.
        let start = unsafe { libc::mmap(null_mut(), bytes, access, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return None;
        }
        Some(Self { start: NonNull::new(start.cast())?, len: len.max(1) })
    }

    /// Indices beyond the end read and write the last place but never other memory: the child has
    /// nobody to tell of a mistake.
    #[inline(always)]
    pub(crate) fn get(&self, index: usize) -> T {
        let index = if index < self.len { index } else { self.len - 1 };
        // SAFETY: within the array, which is mapped as long as the process lives.
        unsafe { *self.pointer_to(index) }
    }

    #[inline(always)]
    pub(crate) fn set(&self, index: usize, value: T) {
        let index = if index < self.len { index } else { self.len - 1 };
        // SAFETY: as above; there is one thread.
        unsafe { *self.pointer_to(index) = value };
    }

    /// Reckoned as a number: in a build without optimisation all else is a call.
    #[inline(always)]
    fn pointer_to(&self, index: usize) -> *mut T {
        (self.start.as_ptr() as usize + index * size_of::<T>()) as *mut T
    }

    /// All of it.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: mapped for that many entries, which all bits are values of.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    /// Gives the memory back.
    pub(crate) fn unmap(self) {
        // SAFETY: mapped by `new`, and nobody uses it again.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len * size_of::<T>()) };
    }
}
