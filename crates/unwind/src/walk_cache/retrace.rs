//! The walk that reuses cached frames.

use super::buffer::MAX_CERTAIN_SIZE;
use super::{HASH_FACTOR, WalkCache, add_to_hash, allocate_kept};
use crate::registers::Registers;
use crate::rule::{FRAME_POINTER, Rule, without_signature};
use crate::uncached::{NextFrame, StackFrame};
use crate::{MAX_FRAMES, OLDEST_FRAMES, rule_cache};

/// The number of frames that are always compared with the previous walk, because they are kept.
pub(crate) const WINDOW: usize = MAX_FRAMES - OLDEST_FRAMES;

/// The factor of a hash after [`WINDOW`] further frames.
const WINDOW_FACTOR: u64 = HASH_FACTOR.wrapping_pow(WINDOW as u32);

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
    /// Computes the hash and the kept frames. It must be called after a walk that returned
    /// [`RetraceResult::Changed`].
    #[inline(always)]
    pub fn finish_walk(&mut self) {
        if self.buffer.count() <= MAX_FRAMES {
            self.kept_count = 0;
            self.omitted = 0;
            self.hash = self.buffer.hash();
        } else {
            self.keep_ends();
        }
    }

    /// Keeps the newest and the oldest of the cached frames. The depth is not part of the hash, so
    /// that a recursion is a single call site from a certain depth on.
    ///
    /// The hash is that of the kept frames: the part of the older frames is taken out of the hash of
    /// all frames, and that of the oldest ones put in its place.
    fn keep_ends(&mut self) {
        if self.kept.is_none() {
            self.kept = allocate_kept();
        }
        let Some(kept) = self.kept.as_deref_mut() else { return self.keep_nothing() };
        let count = self.buffer.count();
        let replaced =
            self.buffer.hash_at(OLDEST_FRAMES).wrapping_sub(self.buffer.hash_at(count - WINDOW));
        self.hash = self.buffer.hash().wrapping_add(replaced.wrapping_mul(WINDOW_FACTOR));
        self.buffer.copy_ends::<OLDEST_FRAMES, WINDOW>(kept);
        self.kept_count = MAX_FRAMES;
        self.omitted = count - MAX_FRAMES;
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
        let mut cached = self.buffer.count();
        let mut new_count = 0;
        loop {
            while self.buffer.cached()[cached].stack_pointer < frame.stack_pointer {
                cached -= 1;
            }
            if self.buffer.cached()[cached].matches(&frame) {
                // SAFETY: the walk has reached the cached frame.
                match unsafe { self.newest_changed(cached) } {
                    None => return self.update(cached, new_count),
                    Some(changed) => cached = changed - 1,
                }
            }
            let Some(rule) = rule_cache::get(frame.lookup_address()) else {
                self.missing_rule = frame.lookup_address();
                return self.stop_at(cached, RetraceResult::MissingRule);
            };
            // The new frame may overwrite cached ones that the walk has left behind.
            self.buffer.truncate(cached);
            let new = NewFrame { frame, rule: rule.bits() as usize };
            if !self.buffer.add_new(new_count, cached, new) {
                return RetraceResult::TooDeep;
            }
            new_count += 1;
            // SAFETY: the caller promises that the stack up to `base` is readable from the first
            // stack pointer on, and `caller` only returns larger ones.
            match unsafe { frame.caller(rule, base) } {
                NextFrame::Frame(caller) => frame = caller,
                NextFrame::End => return self.update(0, new_count),
                NextFrame::Unsupported => {
                    return self.stop_at(cached, RetraceResult::Unsupported);
                }
            }
        }
    }

    fn stop_at(&mut self, cached: usize, result: RetraceResult) -> RetraceResult {
        self.buffer.truncate(cached);
        result
    }

    /// Returns the newest of the [`compared_frames`] to which the stack no longer leads.
    ///
    /// # Safety
    ///
    /// The walk must have reached the cached frame `reached`.
    unsafe fn newest_changed(&self, reached: usize) -> Option<usize> {
        let cached = self.buffer.cached();
        let is_changed = |older: &usize| {
            let frame = &cached[*older];
            // SAFETY: if all frames are compared, all words that lead here are unchanged, so a walk
            // by rules from `reached` would read the same word, which is in the readable part of the
            // stack. Otherwise the word is on the same stack as `reached`, because `update` has
            // found no frame that might be on another one, and the part of a stack above a live
            // frame is readable.
            let address = unsafe { (frame.address_slot as *const usize).read() };
            // SAFETY: a walk by rules would read this word too, or it is the word above. Otherwise,
            // it is on the same stack, as argued above.
            let frame_pointer = unsafe { (frame.frame_pointer_slot as *const usize).read() };
            without_signature(address) != frame.address
                || (frame.frame_pointer_slot != frame.address_slot
                    && frame_pointer != frame.saved_frame_pointer)
        };
        compared_frames(reached, self.buffer.compares_all(reached)).find(is_changed)
    }

    /// Replaces the cached frames that are newer than `reused` by the first `new_count` new frames.
    fn update(&mut self, reused: usize, new_count: usize) -> RetraceResult {
        if new_count == 0 && reused == self.buffer.count() {
            return RetraceResult::Unchanged;
        }
        self.buffer.truncate(reused);
        if !self.buffer.fits(reused + new_count) {
            return RetraceResult::TooDeep;
        }
        for index in (0..new_count).rev() {
            let NewFrame { frame, rule } = self.buffer.new_frame(index);
            let rule = Rule::from_bits(rule as u32);
            let Some(older) = self.buffer.newest() else { return RetraceResult::TooDeep };
            older.set_slots(rule);
            let mask = match (rule.kind(), rule.saved_offset()) {
                (FRAME_POINTER, _) => usize::MAX,
                (_, 0) => older.frame_pointer_mask,
                _ => 0,
            };
            let hash = add_to_hash(older.hash, frame.address);
            let size = older.stack_pointer - frame.stack_pointer;
            if rule.kind() == FRAME_POINTER && size > MAX_CERTAIN_SIZE && !older.is_sentinel() {
                self.buffer.compare_all();
            }
            self.buffer.append(CachedFrame {
                stack_pointer: frame.stack_pointer,
                address: frame.address,
                frame_pointer: frame.frame_pointer,
                frame_pointer_mask: mask,
                address_slot: 0,
                frame_pointer_slot: 0,
                saved_frame_pointer: 0,
                hash,
            });
        }
        self.buffer.restore_sentinel();
        RetraceResult::Changed
    }
}

/// Returns the indices of the frames older than `reached` that a walk compares, newest first.
///
/// It compares all frames of a shallow stack. Of a deep one, it compares those that may be kept, and
/// ever fewer of those in between. Frames in between that are not compared may have been replaced by
/// others of the same size. They are not kept, so the result of the walk is right, and later walks
/// that reach them compare them.
pub(crate) fn compared_frames(reached: usize, all: bool) -> impl Iterator<Item = usize> {
    let newest = if all { 1 } else { reached - WINDOW }..reached;
    let mut older = reached.saturating_sub(WINDOW);
    let between = (1..).map_while(move |number| {
        // The distances double from 2 on. The indices are multiples of them, so most are those of
        // the previous walk, and what they refer to is in the processor's cache.
        let distance = 1_usize.checked_shl(number)?;
        older = older.checked_sub(distance)? & !(distance - 1);
        (older > OLDEST_FRAMES && !all).then_some(older)
    });
    let oldest = 1..if all { 1 } else { OLDEST_FRAMES + 1 };
    newest.rev().chain(between).chain(oldest.rev())
}

impl CachedFrame {
    fn is_sentinel(&self) -> bool {
        self.stack_pointer == usize::MAX
    }

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
