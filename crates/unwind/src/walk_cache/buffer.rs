//! The memory of a walk cache, which grows with the depth of the stacks.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::{NonNull, null_mut, slice_from_raw_parts, without_provenance_mut};

use leakcheck_system::{overhead, pages};

use super::HASH_SEED;
use super::retrace::{CachedFrame, NewFrame};

/// Cached frames, and room for those of the current walk.
///
/// Both are in the same memory. The cached frames grow upwards from the start, oldest first, after a
/// sentinel whose stack pointer is above every stack. The frames of the current walk grow downwards
/// from the end, and may overwrite cached frames that the walk has left behind. When they are
/// appended to the cached frames, each of them takes twice the space, but they never meet: see
/// [`FRAMES_APART`].
///
/// All zeros is a valid buffer, but [`clear`](Self::clear) must be called before its first use.
#[repr(C)]
pub(crate) struct FrameBuffer {
    /// The sentinel.
    pub(crate) frames: *mut CachedFrame,
    /// The newest cached frame, the sentinel if there is none.
    pub(crate) newest: *mut CachedFrame,
    /// The end of the memory of frames.
    pub(crate) end: *mut CachedFrame,
    /// The newest frame for which a walk compares all older ones, see `newest_changed`. It is the
    /// last address if that holds for all frames.
    pub(crate) last_shallow: *mut CachedFrame,
    /// The addresses of the cached frames, oldest first.
    pub(crate) addresses: *mut usize,
}

/// The number of frames by which the memory must exceed the cached frames. One is the sentinel. The
/// other keeps the newest frame of a walk, which is the last one to be appended, apart from its copy.
pub(crate) const FRAMES_APART: usize = 2;

/// The greatest depth at which a walk always compares all frames.
const SHALLOW: usize = 192;

/// The greatest size of a frame whose CFA is relative to the frame pointer and that is certainly on
/// the same stack as its caller: any two stacks have a guard page between them. A frame whose CFA is
/// relative to the stack pointer is on that stack in any case.
pub(crate) const MAX_CERTAIN_SIZE: usize = 4096;

/// The frames of a buffer that is allocated first, which suffice for most tests.
const MIN_FRAMES: usize = 32;
/// The frames of the largest buffer that is kept when it is cleared.
const KEPT_FRAMES: usize = 512;
/// The frames of the largest buffer. Deeper stacks are walked without a cache.
const MAX_FRAMES: usize = 1 << 18;

/// The sentinel of all buffers without memory. It is never written to, because no frame fits.
static NO_FRAMES: CachedFrame = CachedFrame::sentinel();

impl FrameBuffer {
    /// Removes all frames, and frees the memory for a deep stack.
    pub(crate) fn clear(&mut self) {
        if self.frames.is_null() || self.length() > KEPT_FRAMES {
            self.free();
        }
        self.newest = self.frames;
        self.last_shallow = self.frames.wrapping_add(SHALLOW);
    }

    /// Returns the number of cached frames.
    #[inline(always)]
    pub(crate) fn count(&self) -> usize {
        (self.newest as usize - self.frames as usize) / size_of::<CachedFrame>()
    }

    /// Makes walks compare all frames until the buffer is cleared, because the frames are on several
    /// stacks.
    pub(crate) fn compare_all(&mut self) {
        self.last_shallow = without_provenance_mut(usize::MAX);
    }

    /// Returns whether a walk that has reached the cached frame with this index compares all older
    /// ones.
    pub(crate) fn compares_all(&self, reached: usize) -> bool {
        self.frames.wrapping_add(reached) <= self.last_shallow
    }

    /// Returns the number of frames for which there is memory.
    fn length(&self) -> usize {
        (self.end as usize - self.frames as usize) / size_of::<CachedFrame>()
    }

    /// Returns the addresses of the cached frames, oldest first.
    #[inline(always)]
    pub(crate) fn addresses(&self) -> &[usize] {
        if self.newest == self.frames {
            return &[];
        }
        // This avoids the checks of `from_raw_parts`, which unoptimized builds make for every walk.
        let addresses = slice_from_raw_parts(self.addresses, self.count());
        // SAFETY: the memory is zeroed and has an address for each frame that fits. `&self` keeps
        // others from writing to it.
        unsafe { &*addresses }
    }

    /// Returns the sentinel and the cached frames, oldest first.
    #[inline(always)]
    pub(crate) fn cached(&self) -> &[CachedFrame] {
        let cached = slice_from_raw_parts(self.frames, self.count() + 1);
        // SAFETY: the memory from the sentinel to the newest frame is initialized, and `&self`
        // keeps others from writing to it.
        unsafe { &*cached }
    }

    /// Returns the hash of the cached frames.
    #[inline(always)]
    pub(crate) fn hash(&self) -> u64 {
        // SAFETY: the newest frame or the sentinel is initialized.
        unsafe { (*self.newest).hash }
    }

    /// Returns the hash of the cached frames up to the one with this index.
    #[inline(always)]
    pub(crate) fn hash_at(&self, index: usize) -> u64 {
        self.cached()[index].hash
    }

    /// Copies the addresses of the `OLDEST` oldest and the `NEWEST` newest cached frames, of which
    /// there must be as many.
    #[inline(always)]
    pub(crate) fn copy_ends<const OLDEST: usize, const NEWEST: usize>(&self, to: &mut [usize]) {
        let count = self.count();
        assert!(count >= OLDEST + NEWEST && to.len() == OLDEST + NEWEST);
        // The C function is called because those of the standard library make checks in unoptimized
        // builds.
        let copy = |from: usize, count: usize, to: *mut usize| {
            let from = self.addresses.wrapping_add(from);
            // SAFETY: the caller passes the indices of cached frames, and room for their addresses,
            // which is exclusively borrowed and therefore does not overlap them.
            unsafe { libc::memcpy(to.cast(), from.cast(), count * size_of::<usize>()) };
        };
        copy(0, OLDEST, to.as_mut_ptr());
        copy(count - NEWEST, NEWEST, to.as_mut_ptr().wrapping_add(OLDEST));
    }

    /// Removes the cached frames that are newer than the one with this index.
    pub(crate) fn truncate(&mut self, index: usize) {
        assert!(index <= self.count());
        self.newest = self.frames.wrapping_add(index);
    }

    /// Stores a frame of the current walk, after `new_count` others. Returns `false` if there is no
    /// room, because the cached frames up to the index `reused` are still needed.
    pub(crate) fn add_new(&mut self, new_count: usize, reused: usize, new: NewFrame) -> bool {
        let free = (self.length() - reused - 1) * size_of::<CachedFrame>();
        if free < (new_count + 1) * size_of::<NewFrame>() {
            return false;
        }
        // SAFETY: the memory is large enough, as checked above, and exclusively borrowed.
        unsafe { self.new_slot(new_count).write(new) };
        true
    }

    /// Returns the frame of the current walk after `index` newer ones.
    pub(crate) fn new_frame(&self, index: usize) -> NewFrame {
        assert!((index + 1) * size_of::<NewFrame>() <= self.length() * size_of::<CachedFrame>());
        // SAFETY: the slot is part of the memory, as checked above, which is zeroed and contains
        // only integers. `FRAMES_APART` keeps appended frames from overwriting it.
        unsafe { self.new_slot(index).read() }
    }

    /// Returns where the frame of the current walk after `index` newer ones is stored.
    fn new_slot(&self, index: usize) -> *mut NewFrame {
        self.end.cast::<NewFrame>().wrapping_sub(index + 1)
    }

    /// Returns whether this many frames fit.
    pub(crate) fn fits(&self, count: usize) -> bool {
        count + FRAMES_APART <= self.length()
    }

    /// Appends a frame to the cached ones. It must fit.
    pub(crate) fn append(&mut self, frame: CachedFrame) {
        let count = self.count();
        assert!(self.fits(count + 1));
        // SAFETY: the memory has an address for each frame that fits, and is exclusively borrowed.
        unsafe { self.addresses.wrapping_add(count).write(frame.address) };
        self.newest = self.newest.wrapping_add(1);
        // SAFETY: the memory is large enough, as checked above, and exclusively borrowed.
        unsafe { self.newest.write(frame) };
    }

    /// Returns the newest cached frame or the sentinel, `None` if the buffer has no memory.
    pub(crate) fn newest(&mut self) -> Option<&mut CachedFrame> {
        // SAFETY: the memory is exclusively borrowed, and its newest frame is initialized.
        (!self.addresses.is_null()).then(|| unsafe { &mut *self.newest })
    }

    /// Restores the sentinel, to which the oldest frame was appended as to any other. The word in
    /// its slot is no address, so a comparison fails there.
    pub(crate) fn restore_sentinel(&mut self) {
        if self.addresses.is_null() {
            return;
        }
        // SAFETY: the buffer has memory, which is exclusively borrowed.
        let sentinel = unsafe { &mut *self.frames };
        sentinel.address_slot = (&raw const sentinel.stack_pointer).expose_provenance();
    }

    /// Returns the size of the memory.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        if self.addresses.is_null() { 0 } else { layout(self.length()).size() }
    }

    /// Doubles the memory. Returns `false` if the buffer has its maximum size or memory is
    /// exhausted.
    pub(crate) fn grow(&mut self) -> bool {
        let length = if self.addresses.is_null() { MIN_FRAMES } else { self.length() * 2 };
        if length > MAX_FRAMES {
            return false;
        }
        let Some(memory) = allocate(layout(length)) else { return false };
        let count = self.count();
        let frames = memory.as_ptr().cast::<CachedFrame>();
        // As many addresses follow the frames.
        let end = frames.wrapping_add(length);
        // SAFETY: the new memory is larger than the old one and does not overlap it.
        unsafe { frames.copy_from_nonoverlapping(self.frames, count + 1) };
        let addresses = end.cast::<usize>();
        if count > 0 {
            // SAFETY: as for the frames.
            unsafe { addresses.copy_from_nonoverlapping(self.addresses, count) };
        }
        let compares_all = self.last_shallow.addr() == usize::MAX;
        self.free();
        let newest = frames.wrapping_add(count);
        *self = Self { frames, newest, end, last_shallow: frames.wrapping_add(SHALLOW), addresses };
        if compares_all {
            self.compare_all();
        }
        self.restore_sentinel();
        true
    }

    /// Removes all frames and frees their memory.
    fn free(&mut self) {
        if let Some(memory) = NonNull::new(self.frames).filter(|_| !self.addresses.is_null()) {
            // SAFETY: `grow` allocated the memory with this layout, and the pointers to it are
            // reset below.
            unsafe { free(memory.cast(), layout(self.length())) };
        }
        let no_frames = (&raw const NO_FRAMES).cast_mut();
        *self = Self {
            frames: no_frames,
            newest: no_frames,
            end: no_frames.wrapping_add(1),
            last_shallow: no_frames,
            addresses: null_mut(),
        };
    }
}

impl CachedFrame {
    const fn sentinel() -> Self {
        Self {
            stack_pointer: usize::MAX,
            address: 0,
            frame_pointer: 0,
            frame_pointer_mask: 0,
            address_slot: 0,
            frame_pointer_slot: 0,
            saved_frame_pointer: 0,
            hash: HASH_SEED,
        }
    }
}

/// Returns the layout of frames and their addresses.
fn layout(length: usize) -> Layout {
    let size = length * (size_of::<CachedFrame>() + size_of::<usize>());
    // The greatest length and the alignment are constants for which this succeeds.
    Layout::from_size_align(size, align_of::<usize>()).unwrap_or(Layout::new::<()>())
}

/// Larger memory consists of whole pages.
const MAX_HEAP_SIZE: usize = 1 << 16;

/// Allocates zeroed memory.
fn allocate(layout: Layout) -> Option<NonNull<u8>> {
    if layout.size() > MAX_HEAP_SIZE {
        return pages::allocate(layout);
    }
    // SAFETY: the layout is not empty, because a buffer has at least `MIN_FRAMES` frames.
    let memory = NonNull::new(unsafe { System.alloc_zeroed(layout) })?;
    overhead::add_table(layout.size());
    Some(memory)
}

/// # Safety
///
/// [`allocate`] must have allocated the memory with this layout, and it must not be used any more.
unsafe fn free(memory: NonNull<u8>, layout: Layout) {
    if layout.size() > MAX_HEAP_SIZE {
        // SAFETY: the memory comes from `pages`, because it is as large.
        unsafe { pages::free(memory, layout) };
    } else {
        overhead::remove_table(layout.size());
        // SAFETY: the memory comes from the system's allocator, because it is as small.
        unsafe { System.dealloc(memory.as_ptr(), layout) };
    }
}
