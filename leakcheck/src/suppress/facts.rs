//! What rules say about a call stack, put together from what they say about its frames.
//!
//! Many call stacks share few frames. So each rule is evaluated once for each distinct frame, and
//! not once for each stack.

use leakcheck_symbols::trim::{Part, Step, Surroundings, Trimming};

use super::{Reach, Suppression, is_own};
use crate::report::Frame;

/// The index of a rule, [`NO_RULE`] for none. The first rule that covers a stack applies, so the
/// smaller of two indices does.
type RuleIndex = u32;

const NO_RULE: RuleIndex = u32::MAX;

/// The first rule of each reach that names a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct NamedBy {
    leaf: RuleIndex,
    output: RuleIndex,
    stack: RuleIndex,
}

/// What rules say about one frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameFacts {
    part: Part,
    is_own: bool,
    writes: bool,
    starts_writing: bool,
    named_by: NamedBy,
}

/// What rules say about all frames at one return address, innermost first.
#[derive(Clone, Debug)]
pub(crate) struct AddressFacts {
    frames: Box<[FrameFacts]>,
    /// The first rules that name a frame here, without those of the harness.
    named_by: NamedBy,
    surroundings: Surroundings,
}

/// What rules say about a stack, whose frames are added innermost first. The harness and the
/// allocator are left out.
#[derive(Debug)]
pub(crate) struct StackFacts {
    trimming: Trimming,
    past_leaf: bool,
    writes: bool,
    starts_writing: bool,
    /// The first rules that name a frame of the leaf.
    leaf: NamedBy,
    /// The first rules that name any frame.
    any: NamedBy,
    surroundings: Surroundings,
}

impl NamedBy {
    const NOTHING: Self = Self { leaf: NO_RULE, output: NO_RULE, stack: NO_RULE };

    #[inline(always)]
    fn add(&mut self, other: &Self) {
        if other.leaf < self.leaf {
            self.leaf = other.leaf;
        }
        if other.output < self.output {
            self.output = other.output;
        }
        if other.stack < self.stack {
            self.stack = other.stack;
        }
    }
}

impl FrameFacts {
    fn of(frame: &Frame, rules: &[Suppression]) -> Self {
        let function = frame.function.as_deref().unwrap_or_default();
        Self {
            part: Part::of(frame),
            is_own: is_own(frame),
            writes: function.contains("std::io::default_write_fmt::Adapter"),
            // A user's `write!` to a writer of their own starts with this function. Other writers
            // existed before.
            starts_writing: function == "std::io::default_write_fmt"
                || function.contains("std::io::default_write_fmt<"),
            named_by: named_by(frame, rules),
        }
    }
}

fn named_by(frame: &Frame, rules: &[Suppression]) -> NamedBy {
    let mut named_by = NamedBy::NOTHING;
    for (index, rule) in (0..).zip(rules) {
        let first = match rule.reach {
            Reach::Leaf => &mut named_by.leaf,
            Reach::Output => &mut named_by.output,
            Reach::Stack => &mut named_by.stack,
        };
        if *first == NO_RULE && rule.names(frame) {
            *first = index;
        }
    }
    named_by
}

impl AddressFacts {
    pub(crate) fn of(frames: &[Frame], rules: &[Suppression]) -> Self {
        let facts: Box<[FrameFacts]> =
            frames.iter().map(|frame| FrameFacts::of(frame, rules)).collect();
        let mut named_by = NamedBy::NOTHING;
        for frame in &facts {
            if !matches!(frame.part, Part::Allocator | Part::Harness) {
                named_by.add(&frame.named_by);
            }
        }
        let surroundings = frames.iter().map(Surroundings::of);
        let surroundings = surroundings.fold(Surroundings::default(), Surroundings::or);
        Self { frames: facts, named_by, surroundings }
    }
}

impl StackFacts {
    pub(crate) fn new() -> Self {
        Self {
            trimming: Trimming::default(),
            past_leaf: false,
            writes: false,
            starts_writing: false,
            leaf: NamedBy::NOTHING,
            any: NamedBy::NOTHING,
            surroundings: Surroundings::default(),
        }
    }

    /// Adds the frames at the next return address.
    #[inline(always)]
    pub(crate) fn add(&mut self, address: &AddressFacts) {
        if self.trimming.is_in_program() && self.past_leaf {
            // Neither the allocator nor the leaf can follow, and that is most of a stack.
            self.any.add(&address.named_by);
        } else {
            for frame in &address.frames {
                self.add_frame(frame);
            }
        }
    }

    /// Adds the surroundings of the frames at a return address.
    pub(crate) fn add_surroundings(&mut self, address: &AddressFacts) {
        self.surroundings = self.surroundings.or(address.surroundings);
    }

    fn add_frame(&mut self, frame: &FrameFacts) {
        match self.trimming.next(frame.part) {
            Step::Drop => return,
            Step::Keep => {}
            Step::KeepFromHere => {
                (self.past_leaf, self.writes, self.starts_writing) = (false, false, false);
                (self.leaf, self.any) = (NamedBy::NOTHING, NamedBy::NOTHING);
            }
        }
        self.past_leaf |= !frame.is_own;
        if !self.past_leaf {
            self.writes |= frame.writes;
            self.starts_writing |= frame.starts_writing;
            self.leaf.add(&frame.named_by);
        }
        self.any.add(&frame.named_by);
    }

    /// The index of the first rule that covers the stack.
    pub(crate) fn rule(&self) -> Option<usize> {
        let output = if self.writes && !self.starts_writing { self.any } else { self.leaf }.output;
        let first = self.leaf.leaf.min(output).min(self.any.stack);
        (first != NO_RULE).then_some(first as usize)
    }

    /// Whether the stack belongs to what libtest and the standard library do around a test.
    pub(crate) fn is_around_test(&self) -> bool {
        self.surroundings.is_of_test()
    }
}
