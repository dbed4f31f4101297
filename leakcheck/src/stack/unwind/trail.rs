//! The walk that a thread remembers.
//!
//! Most stacks share all but their newest frames with the stack before. A trail keeps, for each
//! frame of the last walk, which words of the stack led to it. The next walk goes by rules until it
//! arrives in a frame that the trail knows: the same address, the same stack pointer and, where it
//! matters, the same frame pointer. A walk from there on depends on nothing but words of the stack,
//! so it is enough to compare those with what they were, from the newest to the oldest, in loads
//! that do not wait for one another. As long as they are the same, they are the very words that a
//! walk by rules would read, so a comparison reads nothing that a walk would not.

use super::super::{MAX_FRAMES, OLDEST_FRAMES};
use super::plain::{Frame, Next};
use super::registers::Registers;
use super::rule::{FRAME_POINTER, Rule, without_signature};
use super::rules;

/// Frames that a trail has room for; deeper stacks are walked without one.
pub(super) const STEPS: usize = 1024;

/// A remembered frame.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub(super) stack_pointer: usize,
    pub(super) address: usize,
    pub(super) frame_pointer: usize,
    /// All ones where this frame or an older one is found by the frame pointer, else 0.
    pub(super) pointer_matters: usize,
    /// Where the address was read.
    pub(super) slot: usize,
    /// Where the frame pointer was read; where it does not matter or was not read, the address
    /// again.
    pub(super) pointer_slot: usize,
    pub(super) pointer_value: usize,
    /// Of the addresses from the oldest frame up to this one.
    pub(super) hash: u64,
}

/// A frame of the walk under way that is not on the trail yet.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Fresh {
    pub(super) frame: Frame,
    pub(super) rule: usize,
}

/// All zeros is a trail that [`forget`](Trail::forget) has to be called on before it is used.
#[repr(C)]
pub(crate) struct Trail {
    /// How many steps are remembered.
    pub(super) count: usize,
    /// The address without a remembered rule that a walk stopped at.
    pub(super) unknown: usize,
    /// Of the frames that were kept.
    hash: u64,
    /// How many frames are in `kept`; 0 where all frames of the steps are the stack.
    kept_count: usize,
    /// How many frames between the newest and the oldest were left out.
    omitted: usize,
    /// The oldest first; before it, the end of all trails, whose stack pointer lies above every
    /// stack.
    pub(super) steps: [Step; STEPS + 1],
    pub(super) fresh: [Fresh; STEPS],
    /// Those of the steps, the oldest first.
    pub(super) addresses: [usize; STEPS],
    kept: [usize; MAX_FRAMES],
}

/// How a walk along a trail ended.
#[repr(usize)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The trail holds the stack already.
    Same = 0,
    /// The trail holds the stack now.
    New = 1,
    /// The rule of `unknown` has to be learnt first.
    Unknown = 2,
    /// The rules cannot say how to go on.
    Unusual = 3,
    /// The stack is deeper than a trail.
    Deep = 4,
}

pub(super) const SEED: u64 = 0x517c_c1b7_2722_0a95;
pub(super) const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
pub(super) const TURN: u32 = 5;

#[inline(always)]
fn mix(hash: u64, address: usize) -> u64 {
    (hash.rotate_left(TURN) ^ address as u64).wrapping_mul(FACTOR)
}

impl Trail {
    /// The next walk will find nothing remembered.
    pub(crate) fn forget(&mut self) {
        self.count = 0;
        self.steps[0].stack_pointer = usize::MAX;
        self.steps[0].hash = SEED;
    }

    /// The stack's frames, the oldest first. The newest is the allocator's, which may be inlined into the user's.
    #[inline(always)]
    pub(crate) fn frames(&self) -> &[usize] {
        if self.kept_count == 0 {
            &self.addresses[..self.count]
        } else {
            &self.kept[..self.kept_count]
        }
    }

    #[inline(always)]
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// How many frames were left out between the newest and the oldest.
    pub(crate) fn omitted(&self) -> usize {
        self.omitted
    }

    /// To be called after a walk that has put a new stack on the trail.
    #[inline(always)]
    pub(crate) fn settle(&mut self) {
        if self.count <= MAX_FRAMES {
            self.kept_count = 0;
            self.omitted = 0;
            self.hash = self.steps[self.count].hash;
        } else {
            self.keep_ends();
        }
    }

    /// Keeps the newest and the oldest frames of what is on the trail. The depth is no part of the
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

    /// Walks along the trail. What [`retrace`](super::retrace) does, in the words of the language:
    /// it is what processors without a version in assembly run, and what tests hold that
    /// version against.
    ///
    /// # Safety
    ///
    /// The stack from the registers' stack pointer up to `base` must be readable.
    #[cfg_attr(all(target_arch = "x86_64", not(test)), expect(dead_code, reason = "for tests"))]
    pub(super) unsafe fn retrace(&mut self, from: &Registers, base: usize) -> Outcome {
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

    /// Puts fresh frames on the trail, on top of the step `known`.
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
