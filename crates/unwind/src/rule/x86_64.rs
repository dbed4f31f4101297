//! Rules on x86_64, where a call stores the return address directly below the CFA.

use super::{FRAME_POINTER, PackedRule, STACK_POINTER, STOP, WORD, words};
use crate::eh_frame::{Arch, Location, Row};

/// A packed rule, which is never 0: the kind in 2 bits, the offset of the CFA in words in 14, and
/// the distance of the saved frame pointer below the CFA in words in 14, or 0 if it is not saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule(u32);

const FIELD_BITS: u32 = 14;
const CFA: u32 = 2;
const SAVED: u32 = CFA + FIELD_BITS;

impl Rule {
    /// The number of bits of a packed rule.
    pub(crate) const BITS: u32 = SAVED + FIELD_BITS;

    /// The rule of the oldest frame.
    pub(crate) const END: Self = Self(STOP);
    /// The rule of a frame that these rules cannot describe.
    pub(crate) const UNSUPPORTED: Self = Self(STOP | 1 << 2);

    #[inline(always)]
    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    #[inline(always)]
    pub(crate) fn kind(self) -> u32 {
        self.0 & 3
    }

    /// Returns the offset in bytes of the CFA from the register that the kind selects.
    #[inline(always)]
    pub(crate) fn cfa_offset(self) -> usize {
        self.field(CFA)
    }

    /// Returns how many bytes below the CFA the return address is.
    #[inline(always)]
    pub(crate) fn return_offset(self) -> usize {
        WORD
    }

    /// Returns how many bytes below the CFA the saved frame pointer is, 0 if it is not saved.
    #[inline(always)]
    pub(crate) fn saved_offset(self) -> usize {
        self.field(SAVED)
    }

    #[inline(always)]
    fn field(self, shift: u32) -> usize {
        (self.0 >> shift & ((1 << FIELD_BITS) - 1)) as usize * WORD
    }
}

/// The register numbers of unwind tables.
const RBP: u16 = 6;
const RSP: u16 = 7;
const RETURN_ADDRESS: u16 = 16;

impl PackedRule for Rule {
    const ARCH: Arch =
        Arch { return_address: RETURN_ADDRESS, frame_pointer: RBP, signs_addresses: false };
    const UNSUPPORTED: Self = Self::UNSUPPORTED;

    fn of_row(row: &Row) -> Option<Self> {
        match row.return_address {
            Location::Memory(distance) if distance == -(WORD as i32) => {}
            Location::Undefined => return Some(Self::END),
            _ => return None,
        }
        let saved = match row.frame_pointer {
            Location::Memory(distance) => words(distance.checked_neg()?, FIELD_BITS)?,
            Location::Unchanged | Location::Undefined => 0,
            Location::Unsupported => return None,
        };
        let kind = match row.cfa_register? {
            RSP => STACK_POINTER,
            RBP => FRAME_POINTER,
            _ => return None,
        };
        let distance = words(row.cfa_offset, FIELD_BITS)?;
        Some(Self(kind | distance << CFA | saved << SAVED))
    }
}

/// A return address as it is: nothing signs_addresses it.
#[inline(always)]
pub(crate) fn without_signature(address: usize) -> usize {
    address
}
