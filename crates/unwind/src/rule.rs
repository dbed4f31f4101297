//! How to get from a frame to its caller's: one rule for each return address, packed into 30 bits.
//!
//! The canonical frame address (CFA) is the caller's stack pointer after the return.

#[cfg(any(test, target_arch = "aarch64"))]
mod aarch64;
#[cfg(test)]
mod tests;
#[cfg(any(test, target_arch = "x86_64"))]
mod x86_64;

use crate::eh_frame::{self, Processor, Row};

#[cfg(target_arch = "aarch64")]
pub(super) use aarch64::{Rule, without_signature};
#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::{Rule, without_signature};

/// The CFA is reckoned from the stack pointer.
pub(super) const STACK_POINTER: u32 = 1;
/// The CFA is reckoned from the frame pointer.
pub(super) const FRAME_POINTER: u32 = 2;
/// There is no way on.
pub(super) const STOP: u32 = 3;

const WORD: usize = size_of::<u64>();

impl Rule {
    /// The rule for an address, by an index of unwind tables that lies at its place in memory.
    pub(super) fn of(address: usize, index: &[u8]) -> Self {
        rule_for(address, index, index.as_ptr().addr())
    }
}

/// A processor's rules: two bits say what the CFA is reckoned from, the others are their own affair.
trait Packed: Sized {
    const PROCESSOR: Processor;
    /// The walk needs more than these rules can say.
    const UNUSUAL: Self;

    /// Nothing where these rules have no words for the row.
    fn of_row(row: &Row) -> Option<Self>;
}

/// The rule for an address, by an index of unwind tables that was written for a place in memory.
///
/// Nothing is said of code without tables that can be read: another unwinder may know more of it.
fn rule_for<R: Packed>(address: usize, index: &[u8], place: usize) -> R {
    let row = eh_frame::row(&R::PROCESSOR, index, place, address);
    row.and_then(|row| R::of_row(&row)).unwrap_or(R::UNUSUAL)
}

/// A distance in words, if it fits into so many bits.
fn words(bytes: i32, bits: u32) -> Option<u32> {
    let bytes = usize::try_from(bytes).ok()?;
    let whole = u32::try_from(bytes / WORD).ok()?;
    (bytes.is_multiple_of(WORD) && whole < 1 << bits).then_some(whole)
}
