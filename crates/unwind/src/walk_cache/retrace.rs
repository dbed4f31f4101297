//! The walk that reuses cached frames.

use super::{HASH_SEED, WalkCache, add_to_hash};
use crate::registers::Registers;
use crate::rule::{FRAME_POINTER, Rule, without_signature};
use crate::uncached::{NextFrame, StackFrame};
use crate::{MAX_FRAMES, OLDEST_FRAMES, rule_cache};

/// The number of frames that fit into a cache. Deeper stacks are walked without it.
pub(crate) const CAPACITY: usize = 1024;

/// A frame of the previous walk.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct CachedFrame {
    pub(crate) stack_pointer: usize,
    pub(crate) address: usize,
    pub(crate) frame_pointer: usize,
    /// All ones if the CFA of this frame or an older one depends on the frame pointer here, else 0.
    pub(crate) frame_pointer_mask: usize,
    /// The address of the stack word from which `address` was read.
    pub(crate) address_slot: usize,
    /// The address of the stack word from which the frame pointer was read. If it was not read or
    /// is not needed, this is `address_slot` again.
    pub(crate) frame_pointer_slot: usize,
    pub(crate) saved_frame_pointer: usize,
    /// The hash of the addresses from the oldest frame to this one.
    pub(crate) hash: u64,
}

/// A frame of the current walk that is not cached yet.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct NewFrame {
    pub(crate) frame: StackFrame,
    pub(crate) rule: usize,
}

/// The result of a walk that reuses cached frames.
#[repr(usize)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetraceResult {
    /// The cache already contained the stack.
    Unchanged = 0,
    /// The cache contains another stack now.
    Changed = 1,
    /// The rule for the address in `missing_rule` is not cached.
    MissingRule = 2,
    /// The rules do not describe a frame.
    Unsupported = 3,
    /// The stack has more frames than fit into the cache.
    TooDeep = 4,
}

impl WalkCache {
    pub(super) fn clear_cached(&mut self) {
        self.count = 0;
        self.cached[0].stack_pointer = usize::MAX;
        self.cached[0].hash = HASH_SEED;
    }

    /// Computes the hash and the kept frames. It must be called after a walk that returned
    /// [`RetraceResult::Changed`].
    #[inline(always)]
    pub fn finish_walk(&mut self) {
        if self.count <= MAX_FRAMES {
            self.kept_count = 0;
            self.omitted = 0;
            self.hash = self.cached[self.count].hash;
        } else {
            self.keep_ends();
        }
    }

    /// Keeps the newest and the oldest of the cached frames. The depth is not part of the hash, so
    /// that a recursion is a single call site from a certain depth on.
    #[cold]
    fn keep_ends(&mut self) {
        let newest = self.count - (MAX_FRAMES - OLDEST_FRAMES)..self.count;
        let (oldest_frames, newest_frames) = self.kept.split_at_mut(OLDEST_FRAMES);
        oldest_frames.copy_from_slice(&self.addresses[..OLDEST_FRAMES]);
        newest_frames.copy_from_slice(&self.addresses[newest]);
        self.kept_count = MAX_FRAMES;
        self.omitted = self.count - MAX_FRAMES;
        self.hash_kept_frames();
    }

    /// Walks the stack and reuses the cached frames that are unchanged. Architectures without a
    /// version in assembly use this one, and tests compare that version with it.
    ///
    /// # Safety
    ///
    /// The stack from the registers' stack pointer up to `base` must be readable.
    #[cfg_attr(all(target_arch = "x86_64", not(test)), expect(dead_code, reason = "used by tests"))]
    pub(crate) unsafe fn retrace(&mut self, from: &Registers, base: usize) -> RetraceResult {
        let mut frame = StackFrame::newest(from);
        let mut cached = self.count;
        let mut new_count = 0;
        loop {
            while self.cached[cached].stack_pointer < frame.stack_pointer {
                cached -= 1;
            }
            if self.cached[cached].matches(&frame) {
                // SAFETY: the walk has reached the cached frame.
                match unsafe { self.newest_changed(cached) } {
                    None => return self.update(cached, new_count),
                    Some(changed) => cached = changed - 1,
                }
            }
            if new_count == CAPACITY {
                return RetraceResult::TooDeep;
            }
            let Some(rule) = rule_cache::get(frame.lookup_address()) else {
                self.missing_rule = frame.lookup_address();
                return RetraceResult::MissingRule;
            };
            self.new_frames[new_count] = NewFrame { frame, rule: rule.bits() as usize };
            new_count += 1;
            // SAFETY: the caller promises that the stack up to `base` is readable from the first
            // stack pointer on, and `caller` only returns larger ones.
            match unsafe { frame.caller(rule, base) } {
                NextFrame::Frame(caller) => frame = caller,
                NextFrame::End => return self.update(0, new_count),
                NextFrame::Unsupported => return RetraceResult::Unsupported,
            }
        }
    }

    /// Returns the newest cached frame older than `reached` to which the stack no longer leads.
    ///
    /// # Safety
    ///
    /// The walk must have reached the cached frame `reached`.
    unsafe fn newest_changed(&self, reached: usize) -> Option<usize> {
        (1..reached).rev().find(|&older| {
            let frame = &self.cached[older];
            // SAFETY: all words that lead here are unchanged, so a walk by rules from `reached`
            // would read the same word, which is in the readable part of the stack.
            let address = unsafe { (frame.address_slot as *const usize).read() };
            // SAFETY: a walk by rules would read this word too, or it is the word above.
            let frame_pointer = unsafe { (frame.frame_pointer_slot as *const usize).read() };
            without_signature(address) != frame.address
                || (frame.frame_pointer_slot != frame.address_slot
                    && frame_pointer != frame.saved_frame_pointer)
        })
    }

    /// Replaces the cached frames that are newer than `reused` by the first `new_count` new frames.
    fn update(&mut self, reused: usize, new_count: usize) -> RetraceResult {
        if new_count == 0 && reused == self.count {
            return RetraceResult::Unchanged;
        }
        if reused + new_count > CAPACITY {
            return RetraceResult::TooDeep;
        }
        let mut top = reused;
        for NewFrame { frame, rule } in self.new_frames[..new_count].iter().rev() {
            let rule = Rule::from_bits(*rule as u32);
            let older = &mut self.cached[top];
            older.set_slots(rule);
            let mask = match (rule.kind(), rule.saved_offset()) {
                (FRAME_POINTER, _) => usize::MAX,
                (_, 0) => older.frame_pointer_mask,
                _ => 0,
            };
            let hash = add_to_hash(older.hash, frame.address);
            self.addresses[top] = frame.address;
            top += 1;
            self.cached[top] = CachedFrame {
                stack_pointer: frame.stack_pointer,
                address: frame.address,
                frame_pointer: frame.frame_pointer,
                frame_pointer_mask: mask,
                address_slot: 0,
                frame_pointer_slot: 0,
                saved_frame_pointer: 0,
                hash,
            };
        }
        self.count = top;
        RetraceResult::Changed
    }
}

impl CachedFrame {
    fn matches(&self, frame: &StackFrame) -> bool {
        self.stack_pointer == frame.stack_pointer
            && self.address == frame.address
            && (self.frame_pointer ^ frame.frame_pointer) & self.frame_pointer_mask == 0
    }

    /// Stores which words of the stack lead to this frame from its callee, whose rule is given.
    fn set_slots(&mut self, rule: Rule) {
        self.address_slot = self.stack_pointer.wrapping_sub(rule.return_offset());
        let saved = rule.saved_offset();
        if saved != 0 && self.frame_pointer_mask != 0 {
            self.frame_pointer_slot = self.stack_pointer.wrapping_sub(saved);
            self.saved_frame_pointer = self.frame_pointer;
        } else {
            self.frame_pointer_slot = self.address_slot;
            self.saved_frame_pointer = self.address;
        }
    }
}
