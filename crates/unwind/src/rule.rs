//! Unwind rules: how to find the caller's frame, packed into 30 bits for each return address.
//!
//! The canonical frame address (CFA) is the caller's stack pointer after the return.

#[cfg(any(test, target_arch = "aarch64"))]
mod aarch64;
#[cfg(test)]
mod tests;
#[cfg(any(test, target_arch = "x86_64"))]
mod x86_64;

use crate::eh_frame::{self, Arch, Row};

#[cfg(target_arch = "aarch64")]
pub(super) use aarch64::{Rule, without_signature};
#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::{Rule, without_signature};

/// The kind of a rule whose CFA is relative to the stack pointer.
pub(super) const STACK_POINTER: u32 = 1;
/// The kind of a rule whose CFA is relative to the frame pointer.
pub(super) const FRAME_POINTER: u32 = 2;
/// The kind of a rule that leads to no frame.
pub(super) const STOP: u32 = 3;

const WORD: usize = size_of::<u64>();

impl Rule {
    /// Returns the rule for an address from an index of unwind tables in memory.
    pub(super) fn of(address: usize, index: &[u8]) -> Self {
        rule_for(address, index, index.as_ptr().addr())
    }
}

/// The rules of an architecture. Two bits are the kind, and the others depend on the architecture.
trait PackedRule: Sized {
    const ARCH: Arch;
    /// The rule for a frame that these rules cannot describe.
    const UNSUPPORTED: Self;

    /// Packs a row. Returns `None` if these rules cannot describe it.
    fn of_row(row: &Row) -> Option<Self>;
}

/// Returns the rule for an address from an index of unwind tables that was linked for the address
/// `index_address`. Code without readable tables has the rule [`PackedRule::UNSUPPORTED`], because
/// the platform's unwinder may still support it.
fn rule_for<R: PackedRule>(address: usize, index: &[u8], index_address: usize) -> R {
    let row = eh_frame::row(&R::ARCH, index, index_address, address);
    row.and_then(|row| R::of_row(&row)).unwrap_or(R::UNSUPPORTED)
}

/// Converts a distance to words. Returns `None` if it does not fit into `bits` bits.
fn words(bytes: i32, bits: u32) -> Option<u32> {
    let bytes = usize::try_from(bytes).ok()?;
    let whole = u32::try_from(bytes / WORD).ok()?;
    (bytes.is_multiple_of(WORD) && whole < 1 << bits).then_some(whole)
}
