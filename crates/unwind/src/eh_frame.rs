//! Reads unwind tables (`.eh_frame`) for one address.
//!
//! A walk needs three things of a frame: the CFA, and the locations of the return address and of
//! the caller's frame pointer. This reader supports what is necessary for them, in the encodings
//! that compilers and linkers emit. It returns `None` for everything else, which the platform's
//! unwinder may support. The reader runs inside the allocator and possibly on the small stack of a
//! signal handler, so it neither allocates nor uses much stack. It trusts no table: reads are
//! checked, and no arithmetic overflows.

mod instructions;
mod opcodes;
mod reader;
#[cfg(test)]
pub(super) mod tests;

use instructions::State;
pub(super) use instructions::{Location, Row};
use reader::Reader;

/// The properties of an architecture, with the register numbers of its unwind tables.
pub(super) struct Arch {
    pub(super) return_address: u16,
    pub(super) frame_pointer: u16,
    /// Whether return addresses may be signed. The opcode for that has another meaning on
    /// architectures without it.
    pub(super) signs_addresses: bool,
}

/// The version and the encodings of an index with a binary search table, whose entries are pairs of
/// 32-bit offsets from the index.
const INDEX: [u8; 4] = [1, 0x1b, 0x03, 0x3b];
const INDEX_HEADER: usize = 12;
const INDEX_ENTRY: usize = 8;
/// The size of the length field in front of a CIE or an FDE.
const LENGTH: usize = 4;

/// Returns the row for an address. `index` is the `.eh_frame_hdr` section, which was linked for the
/// address `index_address` and which the tables follow.
pub(super) fn row(arch: &Arch, index: &[u8], index_address: usize, address: usize) -> Option<Row> {
    Fde::find(arch, index, address.wrapping_sub(index_address))?.row(arch)
}

/// A frame description entry, which describes one function.
struct Fde<'a> {
    cie: Cie<'a>,
    /// The offset of the address in the function.
    offset: u64,
    instructions: Reader<'a>,
}

impl<'a> Fde<'a> {
    /// Finds the function that contains an address, which is relative to the index.
    fn find(arch: &Arch, index: &'a [u8], wanted: usize) -> Option<Self> {
        let (offset, fde) = search(index, wanted)?;
        let mut instructions = entry(index, fde)?;
        // The pointer to the CIE is relative to its own address.
        let back = usize::try_from(instructions.u32()?).ok()?;
        let cie = fde.checked_add(LENGTH)?.checked_sub(back)?;
        let cie = Cie::read(arch, &mut entry(index, cie)?)?;
        // Skip the start of the function, which the index contains too.
        instructions.skip(cie.pointer_size)?;
        let length = instructions.number(cie.pointer_size)?;
        let augmentation_length = instructions.length()?;
        instructions.skip(augmentation_length)?;
        (offset < length).then_some(Self { cie, offset, instructions })
    }

    fn row(&self, arch: &Arch) -> Option<Row> {
        let Cie { code_alignment, data_alignment, instructions, .. } = self.cie;
        let mut state = State::new(arch, code_alignment, data_alignment);
        state.row_at(self.offset, instructions, self.instructions)
    }
}

/// Searches the index for the function that contains an address. Returns the offset of the address
/// in the function and the offset of the function's FDE from the index.
fn search(index: &[u8], wanted: usize) -> Option<(u64, usize)> {
    if index.get(..INDEX.len())? != INDEX {
        return None;
    }
    let wanted = wanted.cast_signed() as i64;
    let mut count = Reader::new(index.get(INDEX_HEADER - 4..)?);
    let (mut low, mut high) = (0, usize::try_from(count.u32()?).ok()?);
    // All functions below `low` start at or before the address, and all from `high` on after it.
    while low < high {
        let middle = low + (high - low) / 2;
        if number(index, middle, 0)? <= wanted {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let last = low.checked_sub(1)?;
    let offset = wanted.checked_sub(number(index, last, 0)?)?;
    let fde = number(index, last, 4)?;
    Some((u64::try_from(offset).ok()?, usize::try_from(fde).ok()?))
}

/// Returns a number in an entry of the index.
fn number(index: &[u8], entry: usize, at: usize) -> Option<i64> {
    let entry = entry.checked_mul(INDEX_ENTRY)?.checked_add(INDEX_HEADER + at)?;
    Reader::new(index.get(entry..)?).i32().map(i64::from)
}

/// Returns the contents of a CIE or an FDE without its length.
fn entry(index: &[u8], at: usize) -> Option<Reader<'_>> {
    let mut tables = Reader::new(index.get(at..)?);
    // A length of zero is the end of the tables. No entry in memory is so large that it needs an
    // extended length.
    match tables.u32()? {
        0 | 0xffff_ffff => None,
        length => tables.take(usize::try_from(length).ok()?),
    }
}

/// A common information entry, which several functions share.
struct Cie<'a> {
    code_alignment: u64,
    data_alignment: i64,
    /// The size in bytes of the pointers in FDEs.
    pointer_size: usize,
    instructions: Reader<'a>,
}

impl<'a> Cie<'a> {
    fn read(arch: &Arch, from: &mut Reader<'a>) -> Option<Self> {
        let (identity, version) = (from.u32()?, from.u8()?);
        if identity != 0 || !matches!(version, 1 | 3) {
            return None;
        }
        let augmentation = from.text()?;
        let code_alignment = from.unsigned()?;
        let data_alignment = from.signed()?;
        let return_address = if version == 1 { u64::from(from.u8()?) } else { from.unsigned()? };
        if return_address != u64::from(arch.return_address) {
            return None;
        }
        let length = from.length()?;
        let pointer_size = pointer_size(augmentation, from.take(length)?)?;
        Some(Self { code_alignment, data_alignment, pointer_size, instructions: *from })
    }
}

/// Returns the size of the pointers in FDEs, from the augmentation of a CIE.
fn pointer_size(augmentation: &[u8], mut data: Reader<'_>) -> Option<usize> {
    let (b'z', letters) = augmentation.split_first()? else { return None };
    let mut size = size_of::<usize>();
    for letter in letters {
        match letter {
            b'R' => size = size_of_encoded(data.u8()?)?,
            b'P' => {
                let personality = size_of_encoded(data.u8()?)?;
                data.skip(personality)?;
            }
            b'L' => _ = data.u8()?,
            // Return addresses are signed with the other key, or frames have memory tags.
            b'B' | b'G' => {}
            // The frame of a signal handler (`S`) restores all registers, and other letters are
            // unknown.
            _ => return None,
        }
    }
    Some(size)
}

fn size_of_encoded(encoding: u8) -> Option<usize> {
    match encoding & 0x0f {
        0x00 | 0x04 | 0x0c if encoding != 0x50 => Some(8),
        0x02 | 0x0a => Some(2),
        0x03 | 0x0b => Some(4),
        _ => None,
    }
}
