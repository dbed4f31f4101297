//! Zeroed memory of whole pages, which costs nothing before it is used.
//!
//! On Unix it is mapped, so the kernel allocates each page when it is first written to, and it is
//! part of no heap. Elsewhere it comes from the system's allocator.

use std::alloc::Layout;
use std::ptr::NonNull;

/// Allocates zeroed memory. Returns `None` if `layout` is empty or memory is exhausted.
#[cfg(all(unix, not(miri)))]
pub fn allocate(layout: Layout) -> Option<NonNull<u8>> {
    const ACCESS: i32 = libc::PROT_READ | libc::PROT_WRITE;
    const FLAGS: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    const { assert!(MAX_ALIGN <= 4096, "a page has at least this size on every platform") };
    if layout.align() > MAX_ALIGN {
        return None;
    }
    // SAFETY: an anonymous mapping at an address that the kernel chooses replaces no other one.
    let memory = unsafe { libc::mmap(std::ptr::null_mut(), layout.size(), ACCESS, FLAGS, -1, 0) };
    if memory == libc::MAP_FAILED { None } else { NonNull::new(memory.cast()) }
}

/// The largest alignment that is supported.
#[cfg(all(unix, not(miri)))]
const MAX_ALIGN: usize = 4096;

/// Frees memory.
///
/// # Safety
///
/// `memory` must have been allocated by [`allocate`] with the same layout and must not be used any
/// more.
#[cfg(all(unix, not(miri)))]
pub unsafe fn free(memory: NonNull<u8>, layout: Layout) {
    // SAFETY: the caller guarantees that this is a whole mapping and that nothing refers to it.
    unsafe { libc::munmap(memory.as_ptr().cast(), layout.size()) };
}

/// Allocates zeroed memory. Returns `None` if `layout` is empty or memory is exhausted.
#[cfg(not(all(unix, not(miri))))]
pub fn allocate(layout: Layout) -> Option<NonNull<u8>> {
    use std::alloc::{GlobalAlloc, System};
    if layout.size() == 0 {
        return None;
    }
    // SAFETY: the layout is not empty.
    let memory = NonNull::new(unsafe { System.alloc_zeroed(layout) })?;
    crate::overhead::add_table(layout.size());
    Some(memory)
}

/// Frees memory.
///
/// # Safety
///
/// `memory` must have been allocated by [`allocate`] with the same layout and must not be used any
/// more.
#[cfg(not(all(unix, not(miri))))]
pub unsafe fn free(memory: NonNull<u8>, layout: Layout) {
    use std::alloc::{GlobalAlloc, System};
    crate::overhead::remove_table(layout.size());
    // SAFETY: the caller guarantees that the memory has this layout and that nothing refers to it.
    unsafe { System.dealloc(memory.as_ptr(), layout) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_zeroed_and_writable() {
        let layout = Layout::from_size_align(100_000, 128).unwrap();
        let memory = allocate(layout).unwrap();
        assert!(memory.addr().get().is_multiple_of(128));
        // SAFETY: the memory has 100,000 zeroed bytes, and nothing else refers to it.
        let bytes = unsafe { std::slice::from_raw_parts_mut(memory.as_ptr(), layout.size()) };
        assert!(bytes.iter().all(|byte| *byte == 0));
        bytes.fill(1);
        // SAFETY: the memory was allocated with this layout, and the slice is not used any more.
        unsafe { free(memory, layout) };
        assert!(allocate(Layout::new::<()>()).is_none());
    }
}
