//! The header in front of every block.
//!
//! ```text
//!   start                    block = start + pad
//!   │ … │ tag │ size │ site  │ the user's bytes …
//!         └─── 16 bytes ───┘
//! ```
//!
//! The pad is 16 bytes, or the alignment of the block if that is larger. The header is its last 16
//! bytes.

use std::alloc::Layout;

use crate::accounts::tag::Tag;
use crate::call_site::SiteId;
use crate::packed_size::PackedSize;
#[cfg(holders)]
use crate::shadow;

#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Header {
    pub(crate) tag: Tag,
    pub(crate) size: PackedSize,
    /// The call site of a block without a record. Only [thorough](crate::live) processes write it.
    pub(crate) site: SiteId,
}

/// The size of a header in bytes.
pub(crate) const SIZE: usize = size_of::<Header>();

/// The alignment of all blocks of the C library.
#[cfg(asm_hot_path)]
pub(crate) const MALLOC_ALIGN: usize = 16;

const _: () = assert!(SIZE == 16 && align_of::<Header>() <= 8);

/// Writes the header of a block and makes it known to the shadow map.
///
/// The caller has just allocated the block, or is reallocating it, and has not returned it to its
/// user yet.
#[inline(always)]
pub(crate) fn publish(header_addr: usize, size: usize, tag: Tag) {
    let header = header_addr as *mut Header;
    // SAFETY: the header is writable and aligned, because the block is the caller's, and no other
    // thread accesses it, because its user has not seen it.
    unsafe { (*header).tag = tag };
    // SAFETY: as above, the header is the caller's alone.
    unsafe { (*header).size = PackedSize::of(size) };
    #[cfg(holders)]
    shadow::mark(header_addr);
}

/// Removes a block from the shadow map before it is freed or moved. Its header stays.
#[inline(always)]
pub(crate) fn withdraw(header_addr: usize) {
    #[cfg(holders)]
    shadow::unmark(header_addr);
    #[cfg(not(holders))]
    let _ = header_addr;
}

/// Returns the number of bytes in front of a block.
pub(crate) fn pad(layout: Layout) -> usize {
    if layout.align() > SIZE { layout.align() } else { SIZE }
}

/// Returns the layout to request from the inner allocator for a block of `size` bytes with the
/// alignment of `layout`. Returns `None` if it would exceed the address space.
pub(crate) fn outer(layout: Layout, size: usize) -> Option<Layout> {
    let align =
        if layout.align() > align_of::<Header>() { layout.align() } else { align_of::<Header>() };
    Layout::from_size_align(size.checked_add(pad(layout))?, align).ok()
}

impl Header {
    /// # Safety
    ///
    /// `block` must have been returned by `Alloc` and be live.
    pub(crate) unsafe fn read(block: *mut u8) -> Self {
        // SAFETY: the inner block begins at least `SIZE` bytes before `block`.
        let header = unsafe { block.sub(SIZE) }.cast::<Self>();
        // SAFETY: blocks are at least as aligned as a header, and `SIZE` is a multiple of that
        // alignment. The header was written when the block was allocated.
        unsafe { header.read() }
    }

    /// Returns the address of a block's header.
    pub(crate) fn addr(block: *mut u8) -> usize {
        block as usize - SIZE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn the_pad_preserves_the_alignment() {
        for shift in 0..13 {
            let requested = layout(100, 1 << shift);
            let outer = outer(requested, 100).unwrap();
            assert_eq!(pad(requested) % requested.align(), 0);
            assert!(pad(requested) >= SIZE && outer.align() >= requested.align());
            assert_eq!(outer.size(), 100 + pad(requested));
        }
    }

    #[test]
    fn a_size_that_overflows_has_no_layout() {
        assert!(outer(layout(8, 8), isize::MAX as usize - 8).is_none());
        assert!(outer(layout(8, 8), usize::MAX).is_none());
    }

    #[test]
    fn an_empty_block_has_room_for_its_header() {
        assert_eq!(outer(layout(0, 1), 0).unwrap().size(), SIZE);
    }
}
