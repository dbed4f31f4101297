//! The allocator that counts.
//!
//! Every block has a header in front that says who owns it (see [`header`]). Each method of
//! [`GlobalAlloc`] does the same in the same order: ask the allocator underneath, stop if it has
//! nothing to give, tell the ledger, write the header. What fails is never counted. Nothing here
//! allocates, locks, panics or waits.

#[cfg(asm_hot_path)]
mod installed;

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::{copy_nonoverlapping, null_mut};

use crate::events;
use crate::header::{self, Header};

#[cfg(asm_hot_path)]
pub use installed::Installed;

/// What a header takes in front of a block.
pub const HEADER: usize = header::SIZE;

/// Miri and the sanitizers watch memory themselves; they get to see the blocks as they are.
pub const PASS_THROUGH: bool = cfg!(any(miri, sanitized));

/// A global allocator that knows for every block which region it was allocated in.
///
/// With the default feature `install` this crate declares it for your program, over the system's
/// allocator. A project with an allocator of its own turns default features off and wraps it:
///
/// ```text
/// #[global_allocator]
/// static ALLOC: leakcheck::Alloc<mimalloc::MiMalloc> = leakcheck::Alloc::new(mimalloc::MiMalloc);
/// ```
///
/// A block costs 16 bytes more than it asks for, or one unit of its alignment where that is larger.
///
/// ```
/// use std::alloc::{GlobalAlloc, Layout, System};
///
/// # use leakcheck_ledger::alloc as leakcheck;
/// let alloc = leakcheck::Alloc::new(System);
/// let layout = Layout::new::<u64>();
/// // SAFETY: the layout is not empty, and the block goes back with the layout that it came with.
/// unsafe {
///     let block = alloc.alloc(layout);
///     assert!(!block.is_null());
///     alloc.dealloc(block, layout);
/// }
/// ```
#[derive(Debug, Default)]
pub struct Alloc<A = System> {
    inner: A,
}

impl Alloc {
    /// Counts over the system's allocator.
    pub const fn system() -> Self {
        Self { inner: System }
    }
}

impl<A> Alloc<A> {
    /// Counts over an allocator of your own.
    pub const fn new(inner: A) -> Self {
        Self { inner }
    }
}

// SAFETY: every pointer handed out lies one header behind the start of a block of the inner
// allocator that is larger by that header, so it is aligned and sized as asked (`header::outer`);
// it goes back to the inner allocator with the layout that it was allocated with, header included.
// No method unwinds: the ledger neither panics nor allocates.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Alloc<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if PASS_THROUGH {
            // SAFETY: the caller's promise, unchanged.
            return unsafe { self.inner.alloc(layout) };
        }
        let Some(outer) = header::outer(layout, layout.size()) else { return null_mut() };
        // SAFETY: `outer` is never empty.
        let start = unsafe { self.inner.alloc(outer) };
        // SAFETY: `start` is null or a fresh block of the layout `outer`.
        unsafe { tagged(start, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if PASS_THROUGH {
            // SAFETY: the caller's promise, unchanged.
            return unsafe { self.inner.alloc_zeroed(layout) };
        }
        let Some(outer) = header::outer(layout, layout.size()) else { return null_mut() };
        // SAFETY: `outer` is never empty.
        let start = unsafe { self.inner.alloc_zeroed(outer) };
        // SAFETY: `start` is null or a fresh block of the layout `outer`.
        unsafe { tagged(start, layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if PASS_THROUGH {
            // SAFETY: the caller's promise, unchanged.
            return unsafe { self.inner.dealloc(block, layout) };
        }
        let Some(outer) = header::outer(layout, layout.size()) else { return };
        // SAFETY: the caller gives back a block of this allocator, which has a header in front.
        let header = unsafe { Header::read(block) };
        events::freed(header.tag, layout.size(), Header::addr(block));
        // SAFETY: a block starts one pad before what the user sees.
        let start = unsafe { block.sub(header::pad(layout)) };
        // SAFETY: `start` came from the inner allocator with this layout.
        unsafe { self.inner.dealloc(start, outer) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if PASS_THROUGH {
            // SAFETY: the caller's promise, unchanged.
            return unsafe { self.inner.realloc(block, layout, new_size) };
        }
        let Some(old) = header::outer(layout, layout.size()) else { return null_mut() };
        let Some(new) = header::outer(layout, new_size) else { return null_mut() };
        // SAFETY: the caller gives a block of this allocator, which has a header in front.
        let header = unsafe { Header::read(block) };
        // SAFETY: a block starts one pad before what the user sees.
        let start = unsafe { block.sub(header::pad(layout)) };
        // SAFETY: `start` came from the inner allocator with the layout `old`, and `new` has the
        // same alignment, is not empty and does not overflow.
        let start = unsafe { grown(&self.inner, start, (old, new), layout) };
        if start.is_null() {
            return start;
        }
        // SAFETY: the block is `pad` bytes larger than what the user sees of it.
        let block = unsafe { start.add(header::pad(layout)) };
        let tag = events::resized(header.tag, layout.size(), new_size, Header::addr(block));
        // SAFETY: there is room for a header in front of `block`.
        unsafe { Header::write_tag(block, tag) };
        block
    }
}

/// A block with another size, from the inner allocator.
///
/// # Safety
///
/// As for [`realloc_by_copy`].
unsafe fn grown(
    inner: &impl GlobalAlloc,
    start: *mut u8,
    (old, new): (Layout, Layout),
    layout: Layout,
) -> *mut u8 {
    if events::reallocates_by_copy() {
        // SAFETY: the caller's promise, unchanged.
        return unsafe { realloc_by_copy(inner, start, (old, new), layout) };
    }
    // SAFETY: the caller's promise, unchanged.
    unsafe { inner.realloc(start, old, new.size()) }
}

/// What `realloc` of an allocator does, in steps of our own: where all live blocks are listed, nothing
/// may be left of a block where it was.
///
/// # Safety
///
/// As for [`GlobalAlloc::realloc`] of `inner`, with the block's own layout, size and new size as its
/// user knows them; they go with what is asked of `inner`.
#[cold]
#[inline(never)]
unsafe fn realloc_by_copy(
    inner: &impl GlobalAlloc,
    start: *mut u8,
    (old, new): (Layout, Layout),
    layout: Layout,
) -> *mut u8 {
    // SAFETY: the new layout is that of a header and more.
    let fresh = unsafe { inner.alloc(new) };
    if !fresh.is_null() {
        // SAFETY: both blocks have as many bytes as the smaller one, and they are two.
        unsafe { copy_nonoverlapping(start, fresh, old.size().min(new.size())) };
        let pad = header::pad(layout);
        let header_addr = fresh as usize + pad - header::SIZE;
        events::copied(header_addr, layout.size(), new.size() - pad, start as usize + pad);
        // SAFETY: the caller gives the block away.
        unsafe { inner.dealloc(start, old) };
    }
    fresh
}

/// Tells the ledger of a fresh block and writes its header.
///
/// # Safety
///
/// `start` must be null or the start of a block that `header::outer` of `layout` describes.
unsafe fn tagged(start: *mut u8, layout: Layout) -> *mut u8 {
    if start.is_null() {
        return start;
    }
    // SAFETY: the block is `pad` bytes larger than what the user sees of it.
    let block = unsafe { start.add(header::pad(layout)) };
    let tag = events::allocated(layout.size(), Header::addr(block));
    // SAFETY: there is room for a header in front of `block`.
    unsafe { Header::write_tag(block, tag) };
    block
}
