//! The walk along a cache.

use super::{SEED, WalkCache, mix};
use crate::plain::{Frame, Next};
use crate::registers::Registers;
use crate::rule::{FRAME_POINTER, Rule, without_signature};
use crate::rules;
use crate::{MAX_FRAMES, OLDEST_FRAMES};

/// Frames that a cache has room for; deeper stacks are walked without one.
pub(crate) const STEPS: usize = 1024;

/// A remembered frame.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Step {
    pub(crate) stack_pointer: usize,
    pub(crate) address: usize,
    pub(crate) frame_pointer: usize,
    /// All ones where this frame or an older one is found by the frame pointer, else 0.
    pub(crate) pointer_matters: usize,
    /// Where the address was read.
    pub(crate) slot: usize,
    /// Where the frame pointer was read; where it does not matter or was not read, the address
    /// again.
    pub(crate) pointer_slot: usize,
    pub(crate) pointer_value: usize,
    /// Of the addresses from the oldest frame up to this one.
    pub(crate) hash: u64,
}

/// A frame of the walk under way that is not on the walk cache yet.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Fresh {
    pub(crate) frame: Frame,
    pub(crate) rule: usize,
}

/// How a walk along a cache ended.
#[repr(usize)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The cache holds the stack already.
    Same = 0,
    /// The cache holds the stack now.
    New = 1,
    /// The rule of `unknown` has to be learnt first.
    Unknown = 2,
    /// The rules cannot say how to go on.
    Unusual = 3,
    /// The stack is deeper than a cache.
    Deep = 4,
}

impl WalkCache {
    pub(super) fn forget_steps(&mut self) {
        self.count = 0;
        self.steps[0].stack_pointer = usize::MAX;
        self.steps[0].hash = SEED;
    }

    /// To be called after a walk that has put a new stack on the walk cache.
    #[inline(always)]
    pub fn settle(&mut self) {
        if self.count <= MAX_FRAMES {
            self.kept_count = 0;
            self.omitted = 0;
            self.hash = self.steps[self.count].hash;
        } else {
            self.keep_ends();
        }
    }

    /// Keeps the newest and the oldest frames of what is on the walk cache. The depth is no part of the
    /// hash, so that a recursion is one call site from a certain depth on.
    #[cold]
    fn keep_ends(&mut self) {
        let newest = self.count - (MAX_FRAMES - OLDEST_FRAMES)..self.count;
        let (oldest_frames, newest_frames) = self.kept.split_at_mut(OLDEST_FRAMES);
        oldest_frames.copy_from_slice(&self.addresses[..OLDEST_FRAMES]);
        newest_frames.copy_from_slice(&self.addresses[newest]);
        self.kept_count = MAX_FRAMES;
        self.omitted = self.count - MAX_FRAMES;
        self.hash_kept();
    }

    /// Walks along the walk cache. What `retrace` does, in the words of the language:
    /// it is what processors without a version in assembly run, and what tests hold that
    /// version against.
    ///
    /// # Safety
    ///
    /// The stack from the registers' stack pointer up to `base` must be readable.
    #[cfg_attr(all(target_arch = "x86_64", not(test)), expect(dead_code, reason = "for tests"))]
    pub(crate) unsafe fn retrace(&mut self, from: &Registers, base: usize) -> Outcome {
        let mut frame = Frame::newest(from);
        let mut known = self.count;
        let mut fresh = 0;
        loop {
            while self.steps[known].stack_pointer < frame.stack_pointer {
                known -= 1;
            }
            if self.steps[known].is(&frame) {
                // SAFETY: the step is the frame that the walk is in.
                match unsafe { self.changed_below(known) } {
                    None => return self.put(known, fresh),
                    Some(changed) => known = changed - 1,
                }
            }
            if fresh == STEPS {
                return Outcome::Deep;
            }
            let Some(rule) = rules::remembered(frame.look()) else {
                self.unknown = frame.look();
                return Outcome::Unknown;
            };
            self.fresh[fresh] = Fresh { frame, rule: rule.bits() as usize };
            fresh += 1;
            // SAFETY: the caller's promise; stack pointers only go up.
            match unsafe { frame.caller(rule, base) } {
                Next::Frame(caller) => frame = caller,
                Next::End => return self.put(0, fresh),
                Next::Unusual => return Outcome::Unusual,
            }
        }
    }

    /// The newest step older than `known` that the stack does not lead to any more.
    ///
    /// # Safety
    ///
    /// The walk has to be in the frame of the step `known`.
    unsafe fn changed_below(&self, known: usize) -> Option<usize> {
        (1..known).rev().find(|&older| {
            let step = &self.steps[older];
            // SAFETY: all newer words are what they were, so a walk by rules would read this one.
            let address = unsafe { (step.slot as *const usize).read() };
            // SAFETY: as above.
            let pointer = unsafe { (step.pointer_slot as *const usize).read() };
            without_signature(address) != step.address
                || (step.pointer_slot != step.slot && pointer != step.pointer_value)
        })
    }

    /// Puts fresh frames on the walk cache, on top of the step `known`.
    fn put(&mut self, known: usize, fresh: usize) -> Outcome {
        if fresh == 0 && known == self.count {
            return Outcome::Same;
        }
        if known + fresh > STEPS {
            return Outcome::Deep;
        }
        let mut top = known;
        for Fresh { frame, rule } in self.fresh[..fresh].iter().rev() {
            let rule = Rule::from_bits(*rule as u32);
            let older = &mut self.steps[top];
            older.reached_by(rule);
            let matters = match (rule.kind(), rule.saved_offset()) {
                (FRAME_POINTER, _) => usize::MAX,
                (_, 0) => older.pointer_matters,
                _ => 0,
            };
            let hash = mix(older.hash, frame.address);
            self.addresses[top] = frame.address;
            top += 1;
            self.steps[top] = Step {
                stack_pointer: frame.stack_pointer,
                address: frame.address,
                frame_pointer: frame.frame_pointer,
                pointer_matters: matters,
                slot: 0,
                pointer_slot: 0,
                pointer_value: 0,
                hash,
            };
        }
        self.count = top;
        Outcome::New
    }
}

impl Step {
    fn is(&self, frame: &Frame) -> bool {
        self.stack_pointer == frame.stack_pointer
            && self.address == frame.address
            && (self.frame_pointer ^ frame.frame_pointer) & self.pointer_matters == 0
    }

    /// Notes where the words are that lead from the callee, whose rule is given, to this step.
    fn reached_by(&mut self, rule: Rule) {
        self.slot = self.stack_pointer.wrapping_sub(rule.return_offset());
        let saved = rule.saved_offset();
        if saved != 0 && self.pointer_matters != 0 {
            self.pointer_slot = self.stack_pointer.wrapping_sub(saved);
            self.pointer_value = self.frame_pointer;
        } else {
            self.pointer_slot = self.slot;
            self.pointer_value = self.address;
        }
    }
}
