//! The walk by rules, frame by frame.

use crate::registers::Registers;
use crate::rule::{FRAME_POINTER, Rule, STACK_POINTER, without_signature};
use crate::rules;

/// One frame of a walk.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) address: usize,
    /// Where the frame of its callee ended.
    pub(super) stack_pointer: usize,
    pub(super) frame_pointer: usize,
}

/// What comes after a frame.
pub(super) enum Next {
    Frame(Frame),
    /// The stack ends, or its next frame lies above the base.
    End,
    /// The rules cannot say.
    Unusual,
}

const WORD: usize = size_of::<usize>();

impl Frame {
    pub(super) fn newest(from: &Registers) -> Self {
        Self {
            address: from.address,
            stack_pointer: from.stack_pointer,
            frame_pointer: from.frame_pointer,
        }
    }

    /// The address whose rule this frame follows: a call may be the last instruction of its
    /// function.
    pub(super) fn look(&self) -> usize {
        self.address.wrapping_sub(1)
    }

    /// The caller's frame.
    ///
    /// # Safety
    ///
    /// The stack from the frame's stack pointer up to `base` must be readable.
    pub(super) unsafe fn caller(&self, rule: Rule, base: usize) -> Next {
        let from = match rule.kind() {
            STACK_POINTER => self.stack_pointer,
            FRAME_POINTER => self.frame_pointer,
            _ if rule == Rule::END => return Next::End,
            _ => return Next::Unusual,
        };
        let cfa = from.wrapping_add(rule.cfa_offset());
        let (returns, saved) = (rule.return_offset(), rule.saved_offset());
        let sound = cfa <= base && cfa > self.stack_pointer && cfa.is_multiple_of(WORD);
        if !sound || returns.max(saved) > cfa - self.stack_pointer {
            return Next::End;
        }
        let mut frame_pointer = self.frame_pointer;
        if saved != 0 {
            // SAFETY: from the stack pointer up to the CFA, which is not above `base`, and aligned.
            frame_pointer = unsafe { ((cfa - saved) as *const usize).read() };
        }
        // SAFETY: as above.
        let address = unsafe { ((cfa - returns) as *const usize).read() };
        let address = without_signature(address);
        Next::Frame(Self { address, stack_pointer: cfa, frame_pointer })
    }
}

/// Gives each frame's address to `each`, the newest first. `false` where the rules cannot say
/// how to go on.
///
/// # Safety
///
/// The stack from the registers' stack pointer up to `base` must be readable.
pub(super) unsafe fn walk(from: &Registers, base: usize, mut each: impl FnMut(usize)) -> bool {
    let mut frame = Frame::newest(from);
    loop {
        each(frame.address);
        let rule = rules::remembered(frame.look()).unwrap_or_else(|| rules::learn(frame.look()));
        // SAFETY: the caller's promise; stack pointers only go up.
        match unsafe { frame.caller(rule, base) } {
            Next::Frame(caller) => frame = caller,
            Next::End => return true,
            Next::Unusual => return false,
        }
    }
}
