//! The walk that a thread remembers.
//!
//! Most stacks share all but their newest frames with the stack before. A cache keeps, for each
//! frame of the last walk, which words of the stack led to it. The next walk goes by rules until it
//! arrives in a frame that the walk cache knows: the same address, the same stack pointer and, where it
//! matters, the same frame pointer. A walk from there on depends on nothing but words of the stack,
//! so it is enough to compare those with what they were, from the newest to the oldest, in loads
//! that do not wait for one another. As long as they are the same, they are the very words that a
//! walk by rules would read, so a comparison reads nothing that a walk would not.

#[cfg(table_unwinder)]
mod retrace;

#[cfg(table_unwinder)]
pub use retrace::Outcome;
#[cfg(table_unwinder)]
pub(super) use retrace::{Fresh, STEPS, Step};

use crate::{MAX_FRAMES, OLDEST_FRAMES};

/// All zeros is a cache that [`forget`](WalkCache::forget) has to be called on before it is used.
#[repr(C)]
pub struct WalkCache {
    /// How many steps are remembered.
    #[cfg(table_unwinder)]
    pub(super) count: usize,
    /// The address without a remembered rule that a walk stopped at.
    #[cfg(table_unwinder)]
    pub(super) unknown: usize,
    /// Of the frames that were kept.
    hash: u64,
    /// How many frames are in `kept`; 0 where all frames of the steps are the stack.
    kept_count: usize,
    /// How many frames between the newest and the oldest were left out.
    omitted: usize,
    /// The oldest first; before it, the end of all caches, whose stack pointer lies above every
    /// stack.
    #[cfg(table_unwinder)]
    pub(super) steps: [Step; STEPS + 1],
    #[cfg(table_unwinder)]
    pub(super) fresh: [Fresh; STEPS],
    /// Those of the steps, the oldest first.
    #[cfg(table_unwinder)]
    pub(super) addresses: [usize; STEPS],
    kept: [usize; MAX_FRAMES],
}

const SEED: u64 = 0x517c_c1b7_2722_0a95;
pub(super) const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
pub(super) const TURN: u32 = 5;

#[inline(always)]
fn mix(hash: u64, address: usize) -> u64 {
    (hash.rotate_left(TURN) ^ address as u64).wrapping_mul(FACTOR)
}

impl WalkCache {
    /// The next walk will find nothing remembered.
    pub fn forget(&mut self) {
        #[cfg(table_unwinder)]
        self.forget_steps();
        self.kept_count = 0;
    }

    /// The stack's frames, the oldest first. The newest is the allocator's, which may be inlined into the user's.
    #[inline(always)]
    pub fn frames(&self) -> &[usize] {
        #[cfg(table_unwinder)]
        if self.kept_count == 0 {
            return &self.addresses[..self.count];
        }
        &self.kept[..self.kept_count]
    }

    #[inline(always)]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How many frames were left out between the newest and the oldest.
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    fn hash_kept(&mut self) {
        self.hash = self.kept[..self.kept_count].iter().fold(SEED, |hash, &at| mix(hash, at));
    }

    /// Takes a stack from elsewhere, newest frame first, given by `walk` to its argument one by
    /// one. Nothing of it is remembered for the next walk.
    pub(super) fn take(&mut self, walk: impl FnOnce(&mut dyn FnMut(usize))) {
        const NEWEST: usize = MAX_FRAMES - OLDEST_FRAMES;
        self.forget();
        let mut count = 0;
        walk(&mut |address| {
            let place =
                if count < NEWEST { count } else { NEWEST + (count - NEWEST) % OLDEST_FRAMES };
            self.kept[place] = address;
            count += 1;
        });
        self.kept_count = count.min(MAX_FRAMES);
        self.omitted = count - self.kept_count;
        if count > MAX_FRAMES {
            self.kept[NEWEST..].rotate_left((count - NEWEST) % OLDEST_FRAMES);
        }
        self.kept[..self.kept_count].reverse();
        self.hash_kept();
    }
}
