//! Unwind tables (`.eh_frame`), read for one address.
//!
//! A walk wants three things of a frame: where the caller's ends, and where the return address and
//! the caller's frame pointer are. This reads as much as it takes to say so, and of the encodings
//! those that compilers and linkers write. Everything else has no answer here: another unwinder may
//! have one. It runs under the allocator in builds without optimisation, perhaps on a signal's small
//! stack, so it allocates nothing and takes little of the stack; and it trusts no table: reads are
//! checked, and no arithmetic overflows.

mod code;
mod instructions;
mod reader;
#[cfg(test)]
pub(super) mod tests;

use instructions::State;
pub(super) use instructions::{Place, Row};
use reader::Reader;

/// What tables are written for, in the numbers that they have for registers.
pub(super) struct Processor {
    pub(super) return_address: u16,
    pub(super) frame_pointer: u16,
    /// Whether the instruction for signed return addresses is known, which is another one elsewhere.
    pub(super) signs: bool,
}

/// The version and the encodings of an index that can be searched: a table of pairs of 32 bits,
/// relative to the index.
const INDEX: [u8; 4] = [1, 0x1b, 0x03, 0x3b];
const INDEX_HEAD: usize = 12;
const INDEX_ENTRY: usize = 8;
/// The length of an entry of the tables, in front of it.
const LENGTH: usize = 4;

/// The row of the tables for an address, by their index (`.eh_frame_hdr`), which was written for
/// `place` and has the tables behind it.
pub(super) fn row(
    processor: &Processor,
    index: &[u8],
    place: usize,
    address: usize,
) -> Option<Row> {
    Function::find(processor, index, address.wrapping_sub(place))?.row(processor)
}

/// What the tables say of a function.
struct Function<'a> {
    common: Common<'a>,
    /// Where in the function the address is.
    offset: u64,
    instructions: Reader<'a>,
}

impl<'a> Function<'a> {
    /// The function that an address lies in, which is relative to the index.
    fn find(processor: &Processor, index: &'a [u8], wanted: usize) -> Option<Self> {
        let (offset, description) = search(index, wanted)?;
        let mut instructions = entry(index, description)?;
        // The pointer to the common part is relative to its own place.
        let back = usize::try_from(instructions.u32()?).ok()?;
        let common = description.checked_add(LENGTH)?.checked_sub(back)?;
        let common = Common::read(processor, &mut entry(index, common)?)?;
        // The function's start, which the index has given.
        instructions.skip(common.pointer_size)?;
        let length = instructions.number(common.pointer_size)?;
        let about_exceptions = instructions.length()?;
        instructions.skip(about_exceptions)?;
        (offset < length).then_some(Self { common, offset, instructions })
    }

    fn row(&self, processor: &Processor) -> Option<Row> {
        let Common { code_alignment, data_alignment, instructions, .. } = self.common;
        let mut state = State::new(processor, code_alignment, data_alignment);
        state.row_at(self.offset, instructions, self.instructions)
    }
}

/// How far in a function an address lies, and where the tables describe that function, by an index
/// that both are relative to.
fn search(index: &[u8], wanted: usize) -> Option<(u64, usize)> {
    if index.get(..INDEX.len())? != INDEX {
        return None;
    }
    let wanted = wanted.cast_signed() as i64;
    let mut count = Reader::new(index.get(INDEX_HEAD - 4..)?);
    let (mut low, mut high) = (0, usize::try_from(count.u32()?).ok()?);
    // Functions below `low` do not start behind it, functions from `high` on do.
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
    let description = number(index, last, 4)?;
    Some((u64::try_from(offset).ok()?, usize::try_from(description).ok()?))
}

/// A number in an entry of the index.
fn number(index: &[u8], entry: usize, at: usize) -> Option<i64> {
    let entry = entry.checked_mul(INDEX_ENTRY)?.checked_add(INDEX_HEAD + at)?;
    Reader::new(index.get(entry..)?).i32().map(i64::from)
}

/// What is in an entry of the tables, without its length.
fn entry(index: &[u8], at: usize) -> Option<Reader<'_>> {
    let mut tables = Reader::new(index.get(at..)?);
    // No entry is empty, and none that is found in memory needs 64 bits for its length.
    match tables.u32()? {
        0 | 0xffff_ffff => None,
        length => tables.take(usize::try_from(length).ok()?),
    }
}

/// What functions have in common.
struct Common<'a> {
    code_alignment: u64,
    data_alignment: i64,
    /// Of the pointers in descriptions of functions, in bytes.
    pointer_size: usize,
    instructions: Reader<'a>,
}

impl<'a> Common<'a> {
    fn read(processor: &Processor, from: &mut Reader<'a>) -> Option<Self> {
        let (identity, version) = (from.u32()?, from.u8()?);
        if identity != 0 || !matches!(version, 1 | 3) {
            return None;
        }
        let augmentation = from.text()?;
        let code_alignment = from.unsigned()?;
        let data_alignment = from.signed()?;
        let return_address = if version == 1 { u64::from(from.u8()?) } else { from.unsigned()? };
        if return_address != u64::from(processor.return_address) {
            return None;
        }
        let length = from.length()?;
        let pointer_size = pointer_size(augmentation, from.take(length)?)?;
        Some(Self { code_alignment, data_alignment, pointer_size, instructions: *from })
    }
}

/// The size of the pointers in descriptions of functions, which is written among other things.
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
            // Return addresses signed with another key, frames with memory tags.
            b'B' | b'G' => {}
            // A signal's frame is not left as others are.
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
