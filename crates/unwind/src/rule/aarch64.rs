//! Rules on aarch64.
//!
//! A call stores the return address in the link register, x30. A function that calls others saves
//! it somewhere in its frame. If it also saves the caller's frame pointer, x29, compilers put that
//! directly below, with or without a frame record.

use super::{FRAME_POINTER, PackedRule, STACK_POINTER, STOP, WORD, words};
use crate::eh_frame::{Arch, Location, Row};

/// A packed rule, which is never 0: the kind in 2 bits, the offset of the CFA in words in 14, the
/// distance of the return address below the CFA in words in 13, and 1 bit that is set if the frame
/// pointer is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule(u32);

const CFA_BITS: u32 = 14;
const RETURN_BITS: u32 = 13;
const CFA: u32 = 2;
const RETURN: u32 = CFA + CFA_BITS;
const SAVED: u32 = RETURN + RETURN_BITS;

/// The bits of a code address. User code is below 2^48 regardless of the size of the address space.
const ADDRESS: usize = (1 << 48) - 1;

impl Rule {
    /// The number of bits of a packed rule.
    pub(crate) const BITS: u32 = SAVED + 1;

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
        self.field(CFA, CFA_BITS)
    }

    /// Returns how many bytes below the CFA the return address is.
    #[inline(always)]
    pub(crate) fn return_offset(self) -> usize {
        self.field(RETURN, RETURN_BITS)
    }

    /// Returns how many bytes below the CFA the saved frame pointer is, 0 if it is not saved.
    #[inline(always)]
    pub(crate) fn saved_offset(self) -> usize {
        if self.0 >> SAVED & 1 == 0 { 0 } else { self.return_offset() + WORD }
    }

    #[inline(always)]
    fn field(self, shift: u32, bits: u32) -> usize {
        (self.0 >> shift & ((1 << bits) - 1)) as usize * WORD
    }
}

/// The register numbers of unwind tables.
const X29: u16 = 29;
const X30: u16 = 30;
const SP: u16 = 31;

impl PackedRule for Rule {
    const ARCH: Arch = Arch { return_address: X30, frame_pointer: X29, signs_addresses: true };
    const UNSUPPORTED: Self = Self::UNSUPPORTED;

    fn of_row(row: &Row) -> Option<Self> {
        let returns = match row.return_address {
            Location::Undefined => return Some(Self::END),
            // A return address that is still in its register has no distance. Only the newest frame
            // could have one.
            Location::Memory(distance) if distance < 0 => distance,
            _ => return None,
        };
        let saved = match row.frame_pointer {
            Location::Unchanged | Location::Undefined => 0,
            Location::Memory(distance) if distance.checked_add(WORD as i32)? == returns => 1,
            _ => return None,
        };
        let kind = match row.cfa_register? {
            SP => STACK_POINTER,
            X29 => FRAME_POINTER,
            _ => return None,
        };
        let distance = words(row.cfa_offset, CFA_BITS)?;
        let returns = words(returns.checked_neg()?, RETURN_BITS)?;
        Some(Self(kind | distance << CFA | returns << RETURN | saved << SAVED))
    }
}

/// Returns the address without the pointer authentication code in its upper bits.
#[inline(always)]
pub(crate) fn without_signature(address: usize) -> usize {
    address & ADDRESS
}
