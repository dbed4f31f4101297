//! A cache of the previous walk of a thread.
//!
//! Most stacks share all but their newest frames with the previous one. For each frame of the
//! previous walk, the cache stores which words of the stack led to it. The next walk follows rules
//! until it reaches a cached frame, which has the same address, the same stack pointer and, if it
//! is needed, the same frame pointer. From there on, a walk depends only on words of the stack. It
//! therefore suffices to compare these with their cached values, from the newest to the oldest,
//! with loads that do not depend on each other. While they are equal, they are exactly the words
//! that a walk by rules would read, so the comparison reads nothing else.

#[cfg(table_unwinder)]
mod retrace;

#[cfg(table_unwinder)]
pub use retrace::RetraceResult;
#[cfg(table_unwinder)]
pub(super) use retrace::{CAPACITY, CachedFrame, NewFrame};

use crate::{MAX_FRAMES, OLDEST_FRAMES};

/// A cache of the previous walk. It may be zeroed, after which [`clear`](WalkCache::clear) must be
/// called before its first use.
#[repr(C)]
pub struct WalkCache {
    /// The number of cached frames.
    #[cfg(table_unwinder)]
    pub(super) count: usize,
    /// The address at which a walk stopped because it has no cached rule.
    #[cfg(table_unwinder)]
    pub(super) missing_rule: usize,
    /// The hash of the frames that are kept.
    hash: u64,
    /// The number of frames in `kept`, 0 if the cached frames are the whole stack.
    kept_count: usize,
    /// The number of frames that are omitted between the newest and the oldest.
    omitted: usize,
    /// The cached frames, oldest first, after a sentinel whose stack pointer is above every stack.
    #[cfg(table_unwinder)]
    pub(super) cached: [CachedFrame; CAPACITY + 1],
    /// The frames of the current walk that are not cached yet, newest first.
    #[cfg(table_unwinder)]
    pub(super) new_frames: [NewFrame; CAPACITY],
    /// The addresses of the cached frames, oldest first.
    #[cfg(table_unwinder)]
    pub(super) addresses: [usize; CAPACITY],
    /// The frames that are kept of a stack that is not cached as a whole, oldest first.
    kept: [usize; MAX_FRAMES],
}

const HASH_SEED: u64 = 0x517c_c1b7_2722_0a95;
pub(super) const HASH_FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
pub(super) const HASH_ROTATION: u32 = 5;

#[inline(always)]
fn add_to_hash(hash: u64, address: usize) -> u64 {
    (hash.rotate_left(HASH_ROTATION) ^ address as u64).wrapping_mul(HASH_FACTOR)
}

/// Returns the hash of a stack, given its frames, oldest first.
pub fn hash_frames(frames: &[usize]) -> u64 {
    frames.iter().fold(HASH_SEED, |hash, &address| add_to_hash(hash, address))
}

impl WalkCache {
    /// Empties the cache.
    pub fn clear(&mut self) {
        #[cfg(table_unwinder)]
        self.clear_cached();
        self.kept_count = 0;
    }

    /// Returns the frames of the stack, oldest first. The newest is the allocator's, which may be
    /// inlined into the user's.
    #[inline(always)]
    pub fn frames(&self) -> &[usize] {
        #[cfg(table_unwinder)]
        if self.kept_count == 0 {
            return &self.addresses[..self.count];
        }
        &self.kept[..self.kept_count]
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

    fn hash_kept_frames(&mut self) {
        self.hash = hash_frames(&self.kept[..self.kept_count]);
    }

    /// Fills the cache with the frames that `walk` passes to its argument, newest first. The next
    /// walk cannot reuse them.
    pub(super) fn fill(&mut self, walk: impl FnOnce(&mut dyn FnMut(usize))) {
        const NEWEST: usize = MAX_FRAMES - OLDEST_FRAMES;
        self.clear();
        let mut count = 0;
        walk(&mut |address| {
            let index =
                if count < NEWEST { count } else { NEWEST + (count - NEWEST) % OLDEST_FRAMES };
            self.kept[index] = address;
            count += 1;
        });
        self.kept_count = count.min(MAX_FRAMES);
        self.omitted = count - self.kept_count;
        if count > MAX_FRAMES {
            self.kept[NEWEST..].rotate_left((count - NEWEST) % OLDEST_FRAMES);
        }
        self.kept[..self.kept_count].reverse();
        self.hash_kept_frames();
    }
}
