//! Rules on x86_64, where a call puts the return address right below the CFA.

use super::{FRAME_POINTER, Packed, STACK_POINTER, STOP, WORD, words};
use crate::eh_frame::{Place, Processor, Row};

/// A rule, packed: kind in 2 bits, the CFA's distance in words in 14, the saved frame pointer's distance
/// below the CFA in words in 14, 0 where it is not saved. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule(u32);

const FIELD_BITS: u32 = 14;
const CFA: u32 = 2;
const SAVED: u32 = CFA + FIELD_BITS;

impl Rule {
    /// The bits that a packed rule takes.
    pub(crate) const BITS: u32 = SAVED + FIELD_BITS;

    /// The stack ends here.
    pub(crate) const END: Self = Self(STOP);
    /// The walk needs more than these rules can say.
    pub(crate) const UNUSUAL: Self = Self(STOP | 1 << 2);

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

    /// The CFA's distance in bytes above the register that it is reckoned from.
    #[inline(always)]
    pub(crate) fn cfa_offset(self) -> usize {
        self.field(CFA)
    }

    /// The return address's distance in bytes below the CFA.
    #[inline(always)]
    pub(crate) fn return_offset(self) -> usize {
        WORD
    }

    /// The saved frame pointer's distance in bytes below the CFA; 0 where it is not saved.
    #[inline(always)]
    pub(crate) fn saved_offset(self) -> usize {
        self.field(SAVED)
    }

    #[inline(always)]
    fn field(self, shift: u32) -> usize {
        (self.0 >> shift & ((1 << FIELD_BITS) - 1)) as usize * WORD
    }
}

/// As unwind tables number them.
const RBP: u16 = 6;
const RSP: u16 = 7;
const RETURN_ADDRESS: u16 = 16;

impl Packed for Rule {
    const PROCESSOR: Processor =
        Processor { return_address: RETURN_ADDRESS, frame_pointer: RBP, signs: false };
    const UNUSUAL: Self = Self::UNUSUAL;

    fn of_row(row: &Row) -> Option<Self> {
        match row.return_address {
            Place::Saved(distance) if distance == -(WORD as i32) => {}
            Place::Lost => return Some(Self::END),
            _ => return None,
        }
        let saved = match row.frame_pointer {
            Place::Saved(distance) => words(distance.checked_neg()?, FIELD_BITS)?,
            Place::Kept | Place::Lost => 0,
            Place::Other => return None,
        };
        let kind = match row.base? {
            RSP => STACK_POINTER,
            RBP => FRAME_POINTER,
            _ => return None,
        };
        let distance = words(row.distance, FIELD_BITS)?;
        Some(Self(kind | distance << CFA | saved << SAVED))
    }
}

/// A return address as it is: nothing signs it.
#[inline(always)]
pub(crate) fn without_signature(address: usize) -> usize {
    address
}
