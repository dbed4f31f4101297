//! The walk by rules without a walk cache, frame by frame.

use crate::registers::Registers;
use crate::rule::{FRAME_POINTER, Rule, STACK_POINTER, without_signature};
use crate::rule_cache;

/// One frame of a walk.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct StackFrame {
    /// The return address into the function.
    pub(super) address: usize,
    /// The end of the callee's frame.
    pub(super) stack_pointer: usize,
    pub(super) frame_pointer: usize,
}

/// The result of unwinding one frame.
pub(super) enum NextFrame {
    Frame(StackFrame),
    /// The stack ends, or the next frame is above the base.
    End,
    /// The rules do not describe this frame.
    Unsupported,
}

const WORD: usize = size_of::<usize>();

impl StackFrame {
    /// Returns the frame of the function whose registers are given.
    pub(super) fn newest(from: &Registers) -> Self {
        Self {
            address: from.address,
            stack_pointer: from.stack_pointer,
            frame_pointer: from.frame_pointer,
        }
    }

    /// Returns the address whose rule applies to the frame. It is inside the call instruction,
    /// because a call may be the last instruction of its function.
    pub(super) fn lookup_address(&self) -> usize {
        self.address.wrapping_sub(1)
    }

    /// Unwinds to the caller's frame.
    ///
    /// # Safety
    ///
    /// The stack from the frame's stack pointer up to `base` must be readable.
    pub(super) unsafe fn caller(&self, rule: Rule, base: usize) -> NextFrame {
        let from = match rule.kind() {
            STACK_POINTER => self.stack_pointer,
            FRAME_POINTER => self.frame_pointer,
            _ if rule == Rule::END => return NextFrame::End,
            _ => return NextFrame::Unsupported,
        };
        let cfa = from.wrapping_add(rule.cfa_offset());
        let (returns, saved) = (rule.return_offset(), rule.saved_offset());
        let plausible = cfa <= base && cfa > self.stack_pointer && cfa.is_multiple_of(WORD);
        if !plausible || returns.max(saved) > cfa - self.stack_pointer {
            return NextFrame::End;
        }
        let mut frame_pointer = self.frame_pointer;
        if saved != 0 {
            // SAFETY: the word is between the stack pointer and the CFA, as checked above, and the
            // CFA is not above `base`. The CFA is aligned, and rules store distances in words.
            frame_pointer = unsafe { ((cfa - saved) as *const usize).read() };
        }
        // SAFETY: `returns` was checked in the same way as `saved`, so the word is aligned and
        // between the stack pointer and `base`.
        let address = unsafe { ((cfa - returns) as *const usize).read() };
        let address = without_signature(address);
        NextFrame::Frame(Self { address, stack_pointer: cfa, frame_pointer })
    }
}

/// Calls `each` with the address of each frame, newest first. Returns `false` if it ends at a frame
/// that the rules do not describe.
///
/// # Safety
///
/// The stack from the registers' stack pointer up to `base` must be readable.
pub(super) unsafe fn walk(from: &Registers, base: usize, mut each: impl FnMut(usize)) -> bool {
    let mut frame = StackFrame::newest(from);
    loop {
        each(frame.address);
        let address = frame.lookup_address();
        let rule = rule_cache::get(address).unwrap_or_else(|| rule_cache::load(address));
        // SAFETY: the caller promises that the stack up to `base` is readable from the first stack
        // pointer on, and `caller` only returns larger ones.
        match unsafe { frame.caller(rule, base) } {
            NextFrame::Frame(caller) => frame = caller,
            NextFrame::End => return true,
            NextFrame::Unsupported => return false,
        }
    }
}
