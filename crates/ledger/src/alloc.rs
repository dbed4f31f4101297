//! The counting allocator.
//!
//! Every block has a header in front, which contains its owner. Each method of
//! [`GlobalAlloc`] takes the same steps in the same order: call the inner allocator, return if that
//! failed, report the event, which writes the header. A failed allocation is therefore never counted.
//! Nothing here allocates, locks, panics or blocks.

#[cfg(asm_hot_path)]
mod installed;

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::{copy_nonoverlapping, null_mut};

use crate::events;
use crate::header::{self, Header};

#[cfg(asm_hot_path)]
pub use installed::Installed;

/// The size of the header in front of a block.
pub const HEADER: usize = header::SIZE;

/// Whether blocks have no header, because Miri or a sanitizer checks memory accesses itself.
pub const PASS_THROUGH: bool = cfg!(any(miri, sanitized));

/// A global allocator that records for every block which region allocated it.
///
/// With the default feature `install`, this crate declares it for your program on top of the
/// system's allocator. A project with its own allocator disables default features and wraps it:
///
/// ```text
/// #[global_allocator]
/// static ALLOC: leakcheck::Alloc<mimalloc::MiMalloc> = leakcheck::Alloc::new(mimalloc::MiMalloc);
/// ```
///
/// A block takes 16 bytes more than requested, or as many as its alignment if that is larger.
///
/// ```
/// use std::alloc::{GlobalAlloc, Layout, System};
///
/// # use leakcheck_ledger::alloc as leakcheck;
/// let alloc = leakcheck::Alloc::new(System);
/// let layout = Layout::new::<u64>();
/// // SAFETY: the layout is not empty, and the block is freed with the layout of its allocation.
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
    /// Creates a counting allocator on top of the system's allocator.
    pub const fn system() -> Self {
        Self { inner: System }
    }
}

impl<A> Alloc<A> {
    /// Creates a counting allocator on top of `inner`.
    pub const fn new(inner: A) -> Self {
        Self { inner }
    }
}

// SAFETY: every returned pointer is one pad after the start of an inner block that is larger by
// that pad, so it has the requested alignment and size (`header::outer`). The inner block is freed
// and reallocated with the layout of its allocation. No method unwinds, because recording an event
// neither panics nor allocates.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Alloc<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if PASS_THROUGH {
            // SAFETY: the caller upholds the contract of `alloc`, which is the same.
            return unsafe { self.inner.alloc(layout) };
        }
        let Some(outer) = header::outer(layout, layout.size()) else { return null_mut() };
        // SAFETY: `outer` contains a header, so its size is not zero.
        let start = unsafe { self.inner.alloc(outer) };
        // SAFETY: `start` is null or a fresh block of the layout `outer`.
        unsafe { tagged(start, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if PASS_THROUGH {
            // SAFETY: the caller upholds the contract of `alloc_zeroed`, which is the same.
            return unsafe { self.inner.alloc_zeroed(layout) };
        }
        let Some(outer) = header::outer(layout, layout.size()) else { return null_mut() };
        // SAFETY: `outer` contains a header, so its size is not zero.
        let start = unsafe { self.inner.alloc_zeroed(outer) };
        // SAFETY: `start` is null or a fresh block of the layout `outer`.
        unsafe { tagged(start, layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if PASS_THROUGH {
            // SAFETY: the caller upholds the contract of `dealloc`, which is the same.
            return unsafe { self.inner.dealloc(block, layout) };
        }
        let Some(outer) = header::outer(layout, layout.size()) else { return };
        // SAFETY: the caller passes a live block of this allocator, which has a header.
        let header = unsafe { Header::read(block) };
        events::freed(header.tag, layout.size(), Header::addr(block));
        // SAFETY: the inner block starts one pad before `block`.
        let start = unsafe { block.sub(header::pad(layout)) };
        // SAFETY: the inner allocator returned `start` for the layout `outer`, which depends only
        // on the layout of the block.
        unsafe { self.inner.dealloc(start, outer) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if PASS_THROUGH {
            // SAFETY: the caller upholds the contract of `realloc`, which is the same.
            return unsafe { self.inner.realloc(block, layout, new_size) };
        }
        let Some(old) = header::outer(layout, layout.size()) else { return null_mut() };
        let Some(new) = header::outer(layout, new_size) else { return null_mut() };
        // SAFETY: the caller passes a live block of this allocator, which has a header.
        let header = unsafe { Header::read(block) };
        // SAFETY: the inner block starts one pad before `block`.
        let start = unsafe { block.sub(header::pad(layout)) };
        // Once the inner block is freed, another thread may mark a block at its address.
        header::withdraw(Header::addr(block));
        // SAFETY: the inner allocator returned `start` for the layout `old`. `new` has the same
        // alignment, is not empty and was checked for overflow.
        let start = unsafe { realloc_inner(&self.inner, start, (old, new), layout) };
        if start.is_null() {
            header::publish(Header::addr(block), layout.size(), header.tag);
            return start;
        }
        // SAFETY: the inner block is at least `pad` bytes long.
        let block = unsafe { start.add(header::pad(layout)) };
        events::resized(header.tag, layout.size(), new_size, Header::addr(block));
        block
    }
}

/// Reallocates an inner block.
///
/// # Safety
///
/// As for [`realloc_by_copy`].
unsafe fn realloc_inner(
    inner: &impl GlobalAlloc,
    start: *mut u8,
    (old, new): (Layout, Layout),
    layout: Layout,
) -> *mut u8 {
    if events::reallocates_by_copy() {
        // SAFETY: the caller upholds the contract, which is the same.
        return unsafe { realloc_by_copy(inner, start, (old, new), layout) };
    }
    // SAFETY: the caller upholds the contract of `realloc` for `start`, `old` and the new size.
    unsafe { inner.realloc(start, old, new.size()) }
}

/// Reallocates an inner block by allocating, copying and freeing. Thorough
/// processes do this so that no stale pointers stay in the old block.
///
/// # Safety
///
/// As for [`GlobalAlloc::realloc`] of `inner` with the block `start`, the layout `old` and the size
/// of `new`. `layout` must be the layout of the block inside, as its user knows it.
#[cold]
#[inline(never)]
unsafe fn realloc_by_copy(
    inner: &impl GlobalAlloc,
    start: *mut u8,
    (old, new): (Layout, Layout),
    layout: Layout,
) -> *mut u8 {
    // SAFETY: `new` contains a header, so its size is not zero.
    let fresh = unsafe { inner.alloc(new) };
    if !fresh.is_null() {
        // SAFETY: the length is at most the size of either block, and the blocks are distinct,
        // because `start` is still live.
        unsafe { copy_nonoverlapping(start, fresh, old.size().min(new.size())) };
        let pad = header::pad(layout);
        let header_addr = fresh as usize + pad - header::SIZE;
        events::copied(header_addr, layout.size(), new.size() - pad, start as usize + pad);
        // SAFETY: `start` is a block of the layout `old`, and the contract of `realloc` lets the
        // caller no longer use it.
        unsafe { inner.dealloc(start, old) };
    }
    fresh
}

/// Reports a fresh block and writes its header. Returns the block inside, or null for null.
///
/// # Safety
///
/// `start` must be null or the start of a fresh block of the layout `header::outer` for `layout`.
unsafe fn tagged(start: *mut u8, layout: Layout) -> *mut u8 {
    if start.is_null() {
        return start;
    }
    // SAFETY: the inner block is at least `pad` bytes long.
    let block = unsafe { start.add(header::pad(layout)) };
    events::allocated(layout.size(), Header::addr(block));
    block
}
