//! How to get from a frame to its caller's: one rule for each return address, packed into 30 bits.

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EndianSlice, NativeEndian, Register, RegisterRule,
    UnwindContext, UnwindContextStorage, UnwindSection, UnwindTableRow, X86_64,
};

/// A rule, packed: kind in 2 bits, the CFA's distance in words in 14, the saved frame pointer's
/// distance below the CFA in words in 14, 0 where it is not saved. Never 0.
///
/// The canonical frame address (CFA) is the caller's stack pointer after the return; the return
/// address lies one word below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule(u32);

/// The CFA is reckoned from the stack pointer.
pub(super) const STACK_POINTER: u32 = 1;
/// The CFA is reckoned from the frame pointer.
pub(super) const FRAME_POINTER: u32 = 2;
/// There is no way on.
pub(super) const STOP: u32 = 3;

const FIELD_BITS: u32 = 14;
const FIELD: u32 = (1 << FIELD_BITS) - 1;
const WORD: i64 = 8;

impl Rule {
    /// The bits that a packed rule takes.
    pub(super) const BITS: u32 = 2 + 2 * FIELD_BITS;

    /// The stack ends here.
    pub(super) const END: Self = Self(STOP);
    /// The walk needs more than these rules can say.
    pub(super) const UNUSUAL: Self = Self(STOP | 1 << 2);

    #[inline(always)]
    pub(super) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    pub(super) const fn bits(self) -> u32 {
        self.0
    }

    #[inline(always)]
    pub(super) fn kind(self) -> u32 {
        self.0 & 3
    }

    /// The CFA's distance in bytes above the register that it is reckoned from.
    #[inline(always)]
    pub(super) fn cfa_offset(self) -> usize {
        ((self.0 >> 2 & FIELD) as usize) << 3
    }

    /// The saved frame pointer's distance in bytes below the CFA; 0 where it is not saved.
    #[inline(always)]
    pub(super) fn saved_offset(self) -> usize {
        ((self.0 >> (2 + FIELD_BITS) & FIELD) as usize) << 3
    }

    /// The rule for an address, by an index of unwind tables that lies at its place in memory.
    ///
    /// An address without tables ends the stack.
    pub(super) fn of(address: usize, eh_frame_hdr: &[u8]) -> Self {
        Self::decode(address, eh_frame_hdr, eh_frame_hdr.as_ptr().addr()).unwrap_or(Self::END)
    }

    fn decode(address: usize, eh_frame_hdr: &[u8], place: usize) -> gimli::Result<Self> {
        let bases = BaseAddresses::default().set_eh_frame_hdr(place as u64);
        let header = EhFrameHdr::new(eh_frame_hdr, NativeEndian).parse(&bases, 8)?;
        let Some(table) = header.table() else { return Ok(Self::UNUSUAL) };
        let gimli::Pointer::Direct(eh_frame) = header.eh_frame_ptr() else {
            return Ok(Self::UNUSUAL);
        };
        // The tables lie behind their index, or before it; only then is their place in the slice.
        let Some(tables) =
            (eh_frame as usize).checked_sub(place).and_then(|at| eh_frame_hdr.get(at..))
        else {
            return Ok(Self::UNUSUAL);
        };
        let bases = bases.set_eh_frame(eh_frame);
        let section = EhFrame::from(EndianSlice::new(tables, NativeEndian));
        let pointer = table.lookup(address as u64, &bases)?;
        let offset = table.pointer_to_offset(pointer)?;
        let description = section.fde_from_offset(&bases, offset, EhFrame::cie_from_offset)?;
        let mut context: UnwindContext<usize, OnStack> = UnwindContext::new_in();
        let row =
            description.unwind_info_for_address(&section, &bases, &mut context, address as u64)?;
        if description.is_signal_trampoline() {
            return Ok(Self::UNUSUAL);
        }
        Ok(Self::of_row(row))
    }

    fn of_row(row: &UnwindTableRow<usize, OnStack>) -> Self {
        match row.register(X86_64::RA) {
            Some(RegisterRule::Offset(offset)) if offset == -WORD => {}
            Some(RegisterRule::Undefined) => return Self::END,
            _ => return Self::UNUSUAL,
        }
        let saved = match row.register(X86_64::RBP) {
            Some(RegisterRule::Offset(offset)) => words(-offset),
            None | Some(RegisterRule::Undefined | RegisterRule::SameValue) => Some(0),
            _ => None,
        };
        let (register, distance) = match row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => (*register, words(*offset)),
            CfaRule::Expression(_) => return Self::UNUSUAL,
        };
        match (kind_of(register), distance, saved) {
            (Some(kind), Some(distance), Some(saved)) => {
                Self(kind | distance << 2 | saved << (2 + FIELD_BITS))
            }
            _ => Self::UNUSUAL,
        }
    }
}

fn kind_of(register: Register) -> Option<u32> {
    match register {
        X86_64::RSP => Some(STACK_POINTER),
        X86_64::RBP => Some(FRAME_POINTER),
        _ => None,
    }
}

/// A distance in words, if the rule has room for it.
fn words(bytes: i64) -> Option<u32> {
    let whole = u32::try_from(bytes / WORD).ok()?;
    (bytes % WORD == 0 && whole <= FIELD).then_some(whole)
}

/// Memory for decoding, on the stack: the allocator is at work.
struct OnStack;

impl UnwindContextStorage<usize> for OnStack {
    type Rules = [(Register, RegisterRule<usize>); 24];
    type Stack = [UnwindTableRow<usize, Self>; 3];
}
