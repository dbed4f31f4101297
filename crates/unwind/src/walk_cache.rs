//! A cache of the previous walk of a thread.
//!
//! Most stacks share all but their newest frames with the previous one. For each frame of the
//! previous walk, the cache stores which words of the stack led to it. The next walk follows rules
//! until it reaches a cached frame, which has the same address, the same stack pointer and, if it
//! is needed, the same frame pointer. From there on, a walk depends only on words of the stack. It
//! therefore suffices to compare these with their cached values, from the newest to the oldest,
//! with loads that do not depend on each other. While they are equal, they are exactly the words
//! that a walk by rules would read, so the comparison reads nothing else.
//!
//! Of a deep stack, the comparison skips most of the frames that are not kept, so that its cost does
//! not depend on the depth.

#[cfg(table_unwinder)]
mod buffer;
#[cfg(table_unwinder)]
mod retrace;

use std::alloc::{GlobalAlloc, Layout, System};

use leakcheck_system::overhead;

#[cfg(table_unwinder)]
pub(super) use buffer::FrameBuffer;
#[cfg(all(table_unwinder, target_arch = "x86_64"))]
pub(super) use buffer::{FRAMES_APART, MAX_CERTAIN_SIZE};
#[cfg(all(table_unwinder, any(test, target_arch = "x86_64")))]
pub(super) use retrace::NewFrame;
#[cfg(table_unwinder)]
pub use retrace::RetraceResult;
#[cfg(all(test, table_unwinder))]
pub(super) use retrace::compared_frames;
#[cfg(all(table_unwinder, target_arch = "x86_64"))]
pub(super) use retrace::{CachedFrame, WINDOW};

use crate::{MAX_FRAMES, OLDEST_FRAMES};

/// A cache of the previous walk. It may be zeroed, after which [`clear`](WalkCache::clear) must be
/// called before its first use.
#[repr(C)]
pub struct WalkCache {
    /// The cached frames and those of the current walk.
    #[cfg(table_unwinder)]
    pub(super) buffer: FrameBuffer,
    /// The address at which a walk stopped because it has no cached rule.
    #[cfg(table_unwinder)]
    pub(super) missing_rule: usize,
    /// The hash of the frames that are kept.
    hash: u64,
    /// The number of frames in `kept`, 0 if the cached frames are the whole stack.
    kept_count: usize,
    /// The number of frames that are omitted between the newest and the oldest.
    omitted: usize,
    /// The frames that are kept of a stack that is not cached as a whole, oldest first. It is
    /// allocated for the first such stack.
    kept: Option<&'static mut [usize; MAX_FRAMES]>,
}

const HASH_SEED: u64 = 0x517c_c1b7_2722_0a95;
pub(super) const HASH_FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Adds a frame to the hash of the older ones. The result is linear in the older hash, so the hash
/// of both ends of a stack follows from those of its parts, see `keep_ends`.
#[inline(always)]
fn add_to_hash(hash: u64, address: usize) -> u64 {
    hash.wrapping_add(address as u64).wrapping_mul(HASH_FACTOR)
}

/// Returns the hash of a stack, given its frames, oldest first.
pub fn hash_frames(frames: &[usize]) -> u64 {
    frames.iter().fold(HASH_SEED, |hash, &address| add_to_hash(hash, address))
}

impl WalkCache {
    /// Empties the cache, and frees the memory for a deep stack.
    pub fn clear(&mut self) {
        #[cfg(table_unwinder)]
        self.buffer.clear();
        self.kept_count = 0;
    }

    /// Returns the frames of the stack, oldest first. The newest is the allocator's, which may be
    /// inlined into the user's.
    #[inline(always)]
    pub fn frames(&self) -> &[usize] {
        #[cfg(table_unwinder)]
        if self.kept_count == 0 {
            return self.buffer.addresses();
        }
        match &self.kept {
            Some(kept) => &kept[..self.kept_count],
            None => &[],
        }
    }

    /// Returns the hash of the frames, as [`hash_frames`] computes it.
    #[inline(always)]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Returns the number of frames that are omitted between the newest and the oldest.
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// Leaves the cache without frames, because memory is exhausted.
    fn keep_nothing(&mut self) {
        self.clear();
        (self.omitted, self.hash) = (0, HASH_SEED);
    }

    /// Fills the cache with the frames that `walk` passes to its argument, newest first. The next
    /// walk cannot reuse them.
    pub(super) fn fill(&mut self, walk: impl FnOnce(&mut dyn FnMut(usize))) {
        const NEWEST: usize = MAX_FRAMES - OLDEST_FRAMES;
        self.clear();
        let Some(kept) = self.kept.take().or_else(allocate_kept) else {
            return self.keep_nothing();
        };
        let mut count = 0;
        walk(&mut |address| {
            let index =
                if count < NEWEST { count } else { NEWEST + (count - NEWEST) % OLDEST_FRAMES };
            kept[index] = address;
            count += 1;
        });
        self.kept_count = count.min(MAX_FRAMES);
        self.omitted = count - self.kept_count;
        if count > MAX_FRAMES {
            kept[NEWEST..].rotate_left((count - NEWEST) % OLDEST_FRAMES);
        }
        let frames = &mut kept[..self.kept_count];
        frames.reverse();
        self.hash = hash_frames(frames);
        self.kept = Some(kept);
    }
}

fn allocate_kept() -> Option<&'static mut [usize; MAX_FRAMES]> {
    const LAYOUT: Layout = Layout::new::<[usize; MAX_FRAMES]>();
    // SAFETY: the layout is not empty.
    let memory = unsafe { System.alloc_zeroed(LAYOUT) }.cast::<[usize; MAX_FRAMES]>();
    // SAFETY: the memory is null, or it has this layout, is zeroed and is never freed, and this is
    // the only reference to it.
    let kept = unsafe { memory.as_mut() }?;
    overhead::add_table(LAYOUT.size());
    Some(kept)
}
