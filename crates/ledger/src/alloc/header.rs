//! The header in front of every block: layout arithmetic and nothing else.
//!
//! ```text
//!   start                 block = start + pad
//!   │ … │ owner record  ─ │ what the user asked for …
//!         └── 16 bytes ───┘
//! ```
//!
//! The pad is 16 bytes, or one unit of the block's alignment where that is larger; the header is
//! its last 16 bytes. Its second half is for the [list of live blocks](crate::live), in
//! processes that keep one.

use std::alloc::Layout;

use crate::accounts::tag::Tag;

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) tag: Tag,
    /// Written by the ledger alone.
    listed: u64,
}

pub(super) const SIZE: usize = size_of::<Header>();

/// What the C library aligns every block to, where the default allocator calls it directly.
#[cfg(asm_hot_path)]
pub(super) const MALLOC_ALIGN: usize = 16;

const _: () = assert!(SIZE == 16 && align_of::<Header>() <= 8);

/// The bytes in front of a block.
pub(super) fn pad(layout: Layout) -> usize {
    if layout.align() > SIZE { layout.align() } else { SIZE }
}

/// The layout to ask the inner allocator for, when the user asks for `size` bytes aligned as
/// `layout` says. `None` when no memory can be that large.
pub(super) fn outer(layout: Layout, size: usize) -> Option<Layout> {
    let align =
        if layout.align() > align_of::<Header>() { layout.align() } else { align_of::<Header>() };
    Layout::from_size_align(size.checked_add(pad(layout))?, align).ok()
}

impl Header {
    /// # Safety
    ///
    /// `block` must have been handed out by `Alloc` and be live.
    pub(super) unsafe fn read(block: *mut u8) -> Self {
        // SAFETY: the 16 bytes in front of a block are its header.
        let header = unsafe { block.sub(SIZE) }.cast::<Self>();
        // SAFETY: blocks are aligned to at least the header's alignment, and so is what lies 16
        // bytes before; the header was written when the block was handed out.
        unsafe { header.read() }
    }

    /// # Safety
    ///
    /// The 16 bytes in front of `block` must belong to it, and `block` must be aligned for a
    /// header.
    pub(super) unsafe fn write(block: *mut u8, tag: Tag) {
        // SAFETY: the 16 bytes in front of a block belong to it.
        let header = unsafe { block.sub(SIZE) }.cast::<Self>();
        // SAFETY: aligned and in bounds, as the caller promises.
        unsafe { (*header).tag = tag };
    }

    /// Where the header of a block is, which the ledger knows the block by.
    pub(super) fn addr(block: *mut u8) -> usize {
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
    fn the_pad_keeps_the_alignment() {
        for shift in 0..13 {
            let asked = layout(100, 1 << shift);
            let outer = outer(asked, 100).unwrap();
            assert_eq!(pad(asked) % asked.align(), 0);
            assert!(pad(asked) >= SIZE && outer.align() >= asked.align());
            assert_eq!(outer.size(), 100 + pad(asked));
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
