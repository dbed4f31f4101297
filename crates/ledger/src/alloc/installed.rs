//! The allocator that the feature `install` declares: counts over the C library's.
//!
//! It does what `Alloc<System>` does, without the layers between: in a build without optimisation,
//! which tests are, those cost more than the counting. So it calls `malloc` itself, reads a
//! layout's numbers at once, and reckons with addresses where methods of pointers would be calls.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::c_void;
use std::mem::transmute;
use std::ptr::null_mut;

use super::{Alloc, realloc_by_copy};
use crate::deferred_free::{FREE, free_later};
use crate::events;
use crate::header::{Header, MALLOC_ALIGN, SIZE};

/// Counts over the C library's allocator.
#[derive(Debug)]
pub struct Installed;

/// For blocks that `malloc` does not align.
static OTHERS: Alloc<System> = Alloc::system();

/// Keeps what is rarely done out of the way of what is done all the time.
#[cold]
#[inline(never)]
fn rarely<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// A layout's two numbers as they lie in memory.
const fn words(layout: Layout) -> [usize; 2] {
    // SAFETY: a layout is a size and an alignment, each of which is represented as a `usize`; the
    // assertion below holds them against what the layout says.
    unsafe { transmute(layout) }
}

const SAMPLE: Layout = Layout::new::<[u64; 3]>();
/// Which of the two words is the size.
const SIZE_AT: usize = if words(SAMPLE)[0] == SAMPLE.size() { 0 } else { 1 };
const ALIGN_AT: usize = 1 - SIZE_AT;

const _: () = {
    assert!(words(SAMPLE)[SIZE_AT] == SAMPLE.size() && words(SAMPLE)[ALIGN_AT] == SAMPLE.align());
};

/// The C library's `realloc` in steps of our own.
///
/// # Safety
///
/// As for [`GlobalAlloc::realloc`], with the place of the block's header.
#[cold]
#[inline(never)]
unsafe fn moved(start: *mut Header, layout: Layout, new_size: usize) -> *mut c_void {
    let outer = |size: usize| Layout::from_size_align(size + SIZE, MALLOC_ALIGN);
    let (Ok(old), Ok(new)) = (outer(layout.size()), outer(new_size)) else { return null_mut() };
    // SAFETY: the C library's blocks are those of `System` up to this alignment.
    unsafe { realloc_by_copy(&FreedLater, start.cast(), (old, new), layout).cast() }
}

/// The C library's allocator, but for what takes blocks back.
struct FreedLater;

// SAFETY: blocks are those of `System`, which takes them from the C library up to the alignment that
// is asked for here.
unsafe impl GlobalAlloc for FreedLater {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, unchanged.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, _layout: Layout) {
        // SAFETY: the block is the C library's, and nobody has it any more.
        unsafe { free_later(block.cast()) };
    }
}

/// What the user sees of a block of the C library's, told to the ledger.
///
/// # Safety
///
/// `start` is null or a fresh block of `size` bytes and a header, from the C library.
#[inline(always)]
unsafe fn tagged(start: *mut c_void, size: usize) -> *mut u8 {
    if start as usize == 0 {
        return start as *mut u8;
    }
    // SAFETY: the block begins with room for a header, which `malloc` aligns.
    unsafe { (*(start as *mut Header)).tag = events::allocated(size, start as usize) };
    (start as usize + SIZE) as *mut u8
}

// SAFETY: every pointer handed out lies one header behind the start of a block of the C library's
// that is larger by that header, and which blocks these are is told by the layout, which comes back
// with the block. No method unwinds: the ledger neither panics nor allocates.
unsafe impl GlobalAlloc for Installed {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let words = words(layout);
        if words[ALIGN_AT] > MALLOC_ALIGN {
            // SAFETY: the caller's promise, unchanged.
            return rarely(|| unsafe { OTHERS.alloc(layout) });
        }
        // SAFETY: any size will do. It does not overflow: a layout's is at most half of all
        // addresses.
        let start = unsafe { libc::malloc(words[SIZE_AT] + SIZE) };
        // SAFETY: fresh, and of that size.
        unsafe { tagged(start, words[SIZE_AT]) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let words = words(layout);
        if words[ALIGN_AT] > MALLOC_ALIGN {
            // SAFETY: the caller's promise, unchanged.
            return rarely(|| unsafe { OTHERS.alloc_zeroed(layout) });
        }
        // SAFETY: as in `alloc`.
        let start = unsafe { libc::calloc(1, words[SIZE_AT] + SIZE) };
        // SAFETY: fresh, and of that size.
        unsafe { tagged(start, words[SIZE_AT]) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let words = words(layout);
        if words[ALIGN_AT] > MALLOC_ALIGN {
            // SAFETY: the caller's promise, unchanged.
            return rarely(|| unsafe { OTHERS.dealloc(block, layout) });
        }
        let start = (block as usize - SIZE) as *mut Header;
        // SAFETY: a header was written there when the block was handed out.
        events::freed(unsafe { (*start).tag }, words[SIZE_AT], start as usize);
        // SAFETY: the block came from the C library. The function is `free`, or keeps the block for a
        // while and gives it to `free` then.
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
            // SAFETY: the caller's promise, unchanged.
            return rarely(|| unsafe { OTHERS.realloc(block, layout, new_size) });
        }
        let start = (block as usize - SIZE) as *mut Header;
        // SAFETY: a header was written there when the block was handed out.
        let tag = unsafe { (*start).tag };
        let start = if events::reallocates_by_copy() {
            // SAFETY: as for the other.
            unsafe { moved(start, layout, new_size) }
        } else {
            // SAFETY: the block came from the C library, and no size that is asked for overflows.
            unsafe { libc::realloc(start as *mut c_void, new_size + SIZE) }
        };
        if start as usize == 0 {
            return start as *mut u8;
        }
        let tag = events::resized(tag, words[SIZE_AT], new_size, start as usize);
        // SAFETY: the block begins with room for a header, which `realloc` aligns.
        unsafe { (*(start as *mut Header)).tag = tag };
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
        // SAFETY: the block has `size` bytes, all zero.
        let bytes = unsafe { std::slice::from_raw_parts_mut(block, size) };
        assert!(bytes.iter().all(|byte| *byte == 0));
        bytes.fill(7);
        // SAFETY: the block has the layout that it came with, and the new size is not zero.
        let block = unsafe { Installed.realloc(block, layout, tripled.size()) };
        assert_eq!(block.addr() % align, 0);
        // SAFETY: the first bytes are those from before.
        let bytes = unsafe { std::slice::from_raw_parts(block, size) };
        assert!(bytes.iter().all(|byte| *byte == 7));
        // SAFETY: the block has the size that it was reallocated to.
        unsafe { Installed.dealloc(block, tripled) };
    }

    #[test]
    fn blocks_keep_their_alignment_and_their_content() {
        for shift in 0..13 {
            for size in [1, 15, 16, 17, 1000, 1 << 20] {
                round_trip(size, 1 << shift);
            }
        }
    }

    #[test]
    fn what_cannot_be_is_null() {
        let largest = Layout::from_size_align(isize::MAX as usize, 1).unwrap();
        // SAFETY: the layout is not empty.
        assert!(black_box(unsafe { Installed.alloc(largest) }).is_null());
        // SAFETY: the layout is not empty.
        assert!(black_box(unsafe { Installed.alloc_zeroed(largest) }).is_null());
        let layout = Layout::new::<u64>();
        // SAFETY: the layout is not empty.
        let block = unsafe { Installed.alloc(layout) };
        // SAFETY: the block has the layout that it came with; where there is no larger one, it stays.
        let larger = unsafe { Installed.realloc(block, layout, largest.size()) };
        assert!(black_box(larger).is_null());
        // SAFETY: the block has the layout that it came with.
        unsafe { Installed.dealloc(block, layout) };
    }
}
