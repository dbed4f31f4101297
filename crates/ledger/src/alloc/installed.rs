//! The allocator that the feature `install` declares, which counts on top of the C library's.
//!
//! It does the same as `Alloc<System>` without the layers in between, which cost more than the
//! counting in unoptimized builds. It therefore calls `malloc` directly, reads the two numbers of a
//! layout at once, and computes with addresses instead of calling methods of pointers.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::c_void;
use std::mem::transmute;
use std::ptr::null_mut;

use super::{Alloc, realloc_by_copy};
use crate::deferred_free::{FREE, free_later};
use crate::events;
use crate::header::{self, Header, MALLOC_ALIGN, SIZE};

/// A counting allocator on top of the C library's.
#[derive(Debug)]
pub struct Installed;

/// The allocator for blocks with a larger alignment than that of `malloc`.
static OVERALIGNED: Alloc<System> = Alloc::system();

/// Calls `f` outside of the fast path.
#[cold]
#[inline(never)]
fn cold<T>(f: impl FnOnce() -> T) -> T {
    f()
}

/// Returns the size and the alignment of a layout in the order of its fields.
const fn words(layout: Layout) -> [usize; 2] {
    // SAFETY: a layout consists of a size and an alignment, each of which is represented as a
    // `usize`, so any layout is a valid array. The assertion below verifies that their order is
    // known.
    unsafe { transmute(layout) }
}

const EXAMPLE: Layout = Layout::new::<[u64; 3]>();
/// The index of the size.
const SIZE_AT: usize = if words(EXAMPLE)[0] == EXAMPLE.size() { 0 } else { 1 };
const ALIGN_AT: usize = 1 - SIZE_AT;

const _: () = {
    assert!(
        words(EXAMPLE)[SIZE_AT] == EXAMPLE.size() && words(EXAMPLE)[ALIGN_AT] == EXAMPLE.align()
    );
};

/// [`realloc_by_copy`] for a block of the C library.
///
/// # Safety
///
/// As for [`GlobalAlloc::realloc`], where `start` is the address of the block's header.
#[cold]
#[inline(never)]
unsafe fn copied(start: *mut Header, layout: Layout, new_size: usize) -> *mut c_void {
    let outer = |size: usize| Layout::from_size_align(size + SIZE, MALLOC_ALIGN);
    let (Ok(old), Ok(new)) = (outer(layout.size()), outer(new_size)) else { return null_mut() };
    // SAFETY: the caller upholds the contract of `realloc`, and `start` is a block of the C library
    // of the size of `old`, which `DeferredFree` accepts.
    unsafe { realloc_by_copy(&DeferredFree, start.cast(), (old, new), layout).cast() }
}

/// The C library's allocator with a deferred `free`.
struct DeferredFree;

// SAFETY: `System` allocates from the C library for the alignments used here, so `free_later`
// accepts its blocks. Neither method unwinds.
unsafe impl GlobalAlloc for DeferredFree {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller upholds the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, _layout: Layout) {
        // SAFETY: `alloc` returned the block, which comes from the C library, and the caller gives
        // it up.
        unsafe { free_later(block.cast()) };
    }
}

/// Reports a fresh block of the C library and writes its header. Returns the block inside, or null
/// for null.
///
/// # Safety
///
/// `start` must be null or a fresh block of the C library with room for a header and `size` bytes.
#[inline(always)]
unsafe fn tagged(start: *mut c_void, size: usize) -> *mut u8 {
    if start as usize == 0 {
        return start as *mut u8;
    }
    events::allocated(size, start as usize);
    (start as usize + SIZE) as *mut u8
}

// SAFETY: every returned pointer is one header after the start of a block of the C library that is
// larger by that header, or comes from `OVERALIGNED`. Which of the two is determined by the
// alignment, which is the same for all calls with a block. No method unwinds, because recording an
// event neither panics nor allocates.
unsafe impl GlobalAlloc for Installed {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let words = words(layout);
        if words[ALIGN_AT] > MALLOC_ALIGN {
            // SAFETY: the caller upholds the contract of the method, which is the same.
            return cold(|| unsafe { OVERALIGNED.alloc(layout) });
        }
        // SAFETY: `malloc` accepts any size. The sum does not overflow, because the size of a
        // layout is at most `isize::MAX`.
        let start = unsafe { libc::malloc(words[SIZE_AT] + SIZE) };
        // SAFETY: `start` is null or a fresh block with room for a header and that many bytes.
        unsafe { tagged(start, words[SIZE_AT]) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let words = words(layout);
        if words[ALIGN_AT] > MALLOC_ALIGN {
            // SAFETY: the caller upholds the contract of the method, which is the same.
            return cold(|| unsafe { OVERALIGNED.alloc_zeroed(layout) });
        }
        // SAFETY: `calloc` accepts any size. The sum does not overflow, because the size of a
        // layout is at most `isize::MAX`.
        let start = unsafe { libc::calloc(1, words[SIZE_AT] + SIZE) };
        // SAFETY: `start` is null or a fresh block with room for a header and that many bytes.
        unsafe { tagged(start, words[SIZE_AT]) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let words = words(layout);
        if words[ALIGN_AT] > MALLOC_ALIGN {
            // SAFETY: the caller upholds the contract of the method, which is the same.
            return cold(|| unsafe { OVERALIGNED.dealloc(block, layout) });
        }
        let start = (block as usize - SIZE) as *mut Header;
        // SAFETY: the caller passes a live block of this allocator, whose header was written when
        // it was allocated.
        events::freed(unsafe { (*start).tag }, words[SIZE_AT], start as usize);
        // SAFETY: the block comes from the C library, and the caller gives it up. The function is
        // `free` or `free_later`, which both accept it and follow the C calling convention.
        unsafe {
            std::arch::asm!(
                "call qword ptr [rip + {free}]",
                free = sym FREE,
                in("rdi") start,
                clobber_abi("C"),
            );
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let words = words(layout);
        if words[ALIGN_AT] > MALLOC_ALIGN {
            // SAFETY: the caller upholds the contract of the method, which is the same.
            return cold(|| unsafe { OVERALIGNED.realloc(block, layout, new_size) });
        }
        let start = (block as usize - SIZE) as *mut Header;
        // SAFETY: the caller passes a live block of this allocator, whose header was written when
        // it was allocated.
        let tag = unsafe { (*start).tag };
        let old_header_addr = start as usize;
        // Once the block is freed, another thread may mark a block at its address.
        header::withdraw(old_header_addr);
        let start = if events::reallocates_by_copy() {
            // SAFETY: the caller upholds the contract of `realloc`, and `start` is its header.
            unsafe { copied(start, layout, new_size) }
        } else {
            // SAFETY: the block comes from the C library. The sum does not overflow, because the
            // contract of `realloc` limits `new_size` to `isize::MAX`.
            unsafe { libc::realloc(start as *mut c_void, new_size + SIZE) }
        };
        if start as usize == 0 {
            header::publish(old_header_addr, words[SIZE_AT], tag);
            return start as *mut u8;
        }
        events::resized(tag, words[SIZE_AT], new_size, start as usize);
        (start as usize + SIZE) as *mut u8
    }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    fn round_trip(size: usize, align: usize) {
        let layout = Layout::from_size_align(size, align).unwrap();
        let tripled = Layout::from_size_align(size * 3, align).unwrap();
        // SAFETY: the layout is not empty.
        let block = unsafe { Installed.alloc_zeroed(layout) };
        assert_eq!(block.addr() % align, 0);
        // SAFETY: the block has `size` initialized bytes, and nothing else refers to it.
        let bytes = unsafe { std::slice::from_raw_parts_mut(block, size) };
        assert!(bytes.iter().all(|byte| *byte == 0));
        bytes.fill(7);
        // SAFETY: the block has the layout of its allocation, and the new size is not zero.
        let block = unsafe { Installed.realloc(block, layout, tripled.size()) };
        assert_eq!(block.addr() % align, 0);
        // SAFETY: the reallocated block begins with the `size` initialized bytes of the old one.
        let bytes = unsafe { std::slice::from_raw_parts(block, size) };
        assert!(bytes.iter().all(|byte| *byte == 7));
        // SAFETY: the block has the layout to which it was reallocated.
        unsafe { Installed.dealloc(block, tripled) };
    }

    #[test]
    fn blocks_keep_their_alignment_and_contents() {
        for shift in 0..13 {
            for size in [1, 15, 16, 17, 1000, 1 << 20] {
                round_trip(size, 1 << shift);
            }
        }
    }

    #[test]
    fn impossible_sizes_return_null() {
        let largest = Layout::from_size_align(isize::MAX as usize, 1).unwrap();
        // SAFETY: the layout is not empty.
        assert!(black_box(unsafe { Installed.alloc(largest) }).is_null());
        // SAFETY: the layout is not empty.
        assert!(black_box(unsafe { Installed.alloc_zeroed(largest) }).is_null());
        let layout = Layout::new::<u64>();
        // SAFETY: the layout is not empty.
        let block = unsafe { Installed.alloc(layout) };
        // SAFETY: the block has the layout of its allocation. A failed reallocation leaves it
        // valid.
        let larger = unsafe { Installed.realloc(block, layout, largest.size()) };
        assert!(black_box(larger).is_null());
        // SAFETY: the block has the layout of its allocation.
        unsafe { Installed.dealloc(block, layout) };
    }
}
