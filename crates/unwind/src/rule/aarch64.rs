//! Rules on aarch64.
//!
//! A call leaves the return address in the link register, x30. A function that calls others saves it anywhere
//! in its frame, and right below it the caller's frame pointer, x29, if it saves that too: this is how compilers
//! write frame records, and how they save the two where they keep no records.

use super::{FRAME_POINTER, Packed, STACK_POINTER, STOP, WORD, words};
use crate::eh_frame::{Place, Processor, Row};

/// A rule, packed: kind in 2 bits, the CFA's distance in words in 14, the return address's distance below the
/// CFA in words in 13, and 1 bit that says whether the frame pointer is saved. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule(u32);

const CFA_BITS: u32 = 14;
const RETURN_BITS: u32 = 13;
const CFA: u32 = 2;
const RETURN: u32 = CFA + CFA_BITS;
const SAVED: u32 = RETURN + RETURN_BITS;

/// The bits of an address of code: a user's lie below 2^48, however large the address space is.
const ADDRESS: usize = (1 << 48) - 1;

impl Rule {
    /// The bits that a packed rule takes.
    pub(crate) const BITS: u32 = SAVED + 1;

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
        self.field(CFA, CFA_BITS)
    }

    /// The return address's distance in bytes below the CFA.
    #[inline(always)]
    pub(crate) fn return_offset(self) -> usize {
        self.field(RETURN, RETURN_BITS)
    }

    /// The saved frame pointer's distance in bytes below the CFA; 0 where it is not saved.
    #[inline(always)]
    pub(crate) fn saved_offset(self) -> usize {
        if self.0 >> SAVED & 1 == 0 { 0 } else { self.return_offset() + WORD }
    }

    #[inline(always)]
    fn field(self, shift: u32, bits: u32) -> usize {
        (self.0 >> shift & ((1 << bits) - 1)) as usize * WORD
    }
}

/// As unwind tables number them.
const X29: u16 = 29;
const X30: u16 = 30;
const SP: u16 = 31;

impl Packed for Rule {
    const PROCESSOR: Processor = Processor { return_address: X30, frame_pointer: X29, signs: true };
    const UNUSUAL: Self = Self::UNUSUAL;

    fn of_row(row: &Row) -> Option<Self> {
        let returns = match row.return_address {
            Place::Lost => return Some(Self::END),
            // In its register, which nothing but the newest frame could be asked for, it has no
            // distance.
            Place::Saved(distance) if distance < 0 => distance,
            _ => return None,
        };
        let saved = match row.frame_pointer {
            Place::Kept | Place::Lost => 0,
            Place::Saved(distance) if distance.checked_add(WORD as i32)? == returns => 1,
            _ => return None,
        };
        let kind = match row.base? {
            SP => STACK_POINTER,
            X29 => FRAME_POINTER,
            _ => return None,
        };
        let distance = words(row.distance, CFA_BITS)?;
        let returns = words(returns.checked_neg()?, RETURN_BITS)?;
        Some(Self(kind | distance << CFA | returns << RETURN | saved << SAVED))
    }
}

/// A return address without what pointer authentication has put into its upper bits.
#[inline(always)]
pub(crate) fn without_signature(address: usize) -> usize {
    address & ADDRESS
}
