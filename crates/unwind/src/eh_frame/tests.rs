//! Rows from handwritten tables. Every architecture tests the tables of all.

mod by_gimli;

use super::{Arch, Location, Row, row};

/// The address for which the tables are linked.
pub(crate) const HDR_ADDRESS: usize = 0x10_0000;
/// The address of the function.
pub(crate) const CODE: usize = HDR_ADDRESS + 0x1000;
pub(crate) const CODE_LENGTH: usize = 0x400;

pub(crate) const X29: u8 = 29;
pub(crate) const X30: u8 = 30;
pub(crate) const SP: u8 = 31;
pub(crate) const RBX: u8 = 3;
pub(crate) const RBP: u8 = 6;
pub(crate) const RSP: u8 = 7;
pub(crate) const RIP: u8 = 16;

/// Call frame instructions.
pub(crate) mod cfa {
    pub(crate) use super::super::opcodes::*;

    pub(crate) const fn advance(by: u8) -> u8 {
        ADVANCE | by
    }

    pub(crate) const fn offset(register: u8) -> u8 {
        OFFSET | register
    }

    pub(crate) const fn restore(register: u8) -> u8 {
        RESTORE | register
    }
}

/// The tables of one function and their index.
#[derive(Clone, Copy)]
pub(crate) struct Tables {
    pub(crate) augmentation: &'static str,
    pub(crate) code_alignment: u8,
    pub(crate) data_alignment: i8,
    pub(crate) return_address: u8,
    pub(crate) initial: &'static [u8],
}

/// The tables that gcc emits for aarch64.
pub(crate) const AARCH64: Tables = Tables {
    augmentation: "zR",
    code_alignment: 4,
    data_alignment: -8,
    return_address: X30,
    initial: &[cfa::DEF_CFA, SP, 0],
};

/// The tables that compilers emit for x86_64.
pub(crate) const X86_64: Tables = Tables {
    augmentation: "zR",
    code_alignment: 1,
    data_alignment: -8,
    return_address: RIP,
    initial: &[cfa::DEF_CFA, RSP, 8, cfa::offset(RIP), 1],
};

impl Tables {
    /// Returns the tables of a function with the given instructions.
    pub(crate) fn with(&self, instructions: &[u8]) -> Vec<u8> {
        let mut common = vec![0, 0, 0, 0, 1];
        common.extend(self.augmentation.bytes());
        let data_alignment = self.data_alignment.cast_unsigned() & 0x7f;
        common.extend([0, self.code_alignment, data_alignment, self.return_address, 1, 0x1b]);
        common.extend(self.initial);
        let common = entry(&common);

        // The index: version, encodings, offset of the tables, number of functions, and the
        // function.
        let index = 20;
        let description = index + common.len();
        let mut tables = vec![1, 0x1b, 0x03, 0x3b];
        tables.extend(i32_bytes(index - 4));
        tables.extend(i32_bytes(1));
        tables.extend(i32_bytes(CODE - HDR_ADDRESS));
        tables.extend(i32_bytes(description));
        tables.extend(&common);

        let mut function = Vec::new();
        function.extend(i32_bytes(common.len() + 4));
        function.extend(i32_bytes(CODE - HDR_ADDRESS - (description + 8)));
        function.extend(i32_bytes(CODE_LENGTH));
        function.push(0);
        function.extend(instructions);
        tables.extend(entry(&function));
        // The end marker of the tables.
        tables.extend([0; 4]);
        tables
    }
}

/// Returns an entry with its length in front, padded with no-ops.
fn entry(contents: &[u8]) -> Vec<u8> {
    let length = contents.len().next_multiple_of(4);
    let mut entry: Vec<u8> = i32_bytes(length).into();
    entry.extend(contents);
    entry.resize(4 + length, cfa::NOP);
    entry
}

fn i32_bytes(number: usize) -> [u8; 4] {
    i32::try_from(number).unwrap().to_le_bytes()
}

/// Encodes a number as LEB128 in ten bytes, which is enough for any number.
pub(crate) fn leb(number: u64) -> [u8; 10] {
    std::array::from_fn(|i| {
        let more = if i < 9 { 0x80 } else { 0 };
        (number.checked_shr(7 * i as u32).unwrap_or(0) & 0x7f) as u8 | more
    })
}

const ON_AARCH64: Arch = Arch { return_address: 30, frame_pointer: 29, signs_addresses: true };
const ON_X86_64: Arch = Arch { return_address: 16, frame_pointer: 6, signs_addresses: false };

/// Returns the row at the end of the function.
fn last(tables: &Tables, instructions: &[u8]) -> Option<Row> {
    at(tables, instructions, CODE_LENGTH - 1)
}

fn at(tables: &Tables, instructions: &[u8], offset: usize) -> Option<Row> {
    let arch = if tables.return_address == RIP { ON_X86_64 } else { ON_AARCH64 };
    row(&arch, &tables.with(instructions), HDR_ADDRESS, CODE + offset)
}

fn x86_64(cfa_register: u8, cfa_offset: i32, frame_pointer: Location) -> Option<Row> {
    let (cfa_register, return_address) = (Some(cfa_register.into()), Location::Memory(-8));
    Some(Row { cfa_register, cfa_offset, return_address, frame_pointer })
}

#[test]
fn a_row_applies_from_its_instruction_up_to_the_next() {
    // push rbp; mov rbp, rsp; …; pop rbp
    let instructions = [
        cfa::advance(1),
        cfa::DEF_CFA_OFFSET,
        16,
        cfa::offset(RBP),
        2,
        cfa::advance(3),
        cfa::DEF_CFA_REGISTER,
        RBP,
        cfa::ADVANCE_2,
        0x00,
        0x01,
        cfa::DEF_CFA,
        RSP,
        8,
        cfa::restore(RBP),
    ];
    let saved = Location::Memory(-16);
    let rows = [
        (0..1, x86_64(RSP, 8, Location::Unchanged)),
        (1..4, x86_64(RSP, 16, saved)),
        (4..0x104, x86_64(RBP, 16, saved)),
        (0x104..CODE_LENGTH, x86_64(RSP, 8, Location::Unchanged)),
    ];
    for (range, row) in rows {
        for offset in [range.start, range.end - 1] {
            assert_eq!(at(&X86_64, &instructions, offset), row, "{offset:#x}");
        }
    }
}

#[test]
fn advances_are_in_code_units() {
    for advance in [&[cfa::advance(2)][..], &[cfa::ADVANCE_1, 2], &[cfa::ADVANCE_4, 2, 0, 0, 0]] {
        let instructions = [advance, &[cfa::DEF_CFA_OFFSET, 32]].concat();
        assert_eq!(at(&AARCH64, &instructions, 7).unwrap().cfa_offset, 0);
        assert_eq!(at(&AARCH64, &instructions, 8).unwrap().cfa_offset, 32);
    }
}

#[test]
fn factored_offsets_are_in_data_units() {
    let minus_3 = 0x7d;
    let row = last(&X86_64, &[cfa::DEF_CFA_SF, RBX, minus_3]);
    assert_eq!(row, x86_64(RBX, 24, Location::Unchanged));
    let row = last(&X86_64, &[cfa::DEF_CFA_OFFSET_SF, minus_3]);
    assert_eq!(row, x86_64(RSP, 24, Location::Unchanged));
    let row = last(&X86_64, &[cfa::OFFSET_EXTENDED_SF, RBP, minus_3]);
    assert_eq!(row, x86_64(RSP, 8, Location::Memory(24)));
    let row = last(&X86_64, &[cfa::OFFSET_EXTENDED, RBP, 3]);
    assert_eq!(row, x86_64(RSP, 8, Location::Memory(-24)));
}

#[test]
fn the_last_instruction_determines_a_location() {
    let cases: [(&[u8], Location); 9] = [
        (&[cfa::UNDEFINED, RBP], Location::Undefined),
        (&[cfa::SAME_VALUE, RBP], Location::Unchanged),
        (&[cfa::REGISTER, RBP, RBX], Location::Unsupported),
        (&[cfa::EXPRESSION, RBP, 2, 0x77, 0x10], Location::Unsupported),
        (&[cfa::VAL_EXPRESSION, RBP, 1, 0x50], Location::Unsupported),
        (&[cfa::VAL_OFFSET, RBP, 1], Location::Unsupported),
        (&[cfa::VAL_OFFSET_SF, RBP, 1], Location::Unsupported),
        (&[cfa::RESTORE_EXTENDED, RBP], Location::Unchanged),
        (&[cfa::REGISTER, RBX, RBP], Location::Memory(-16)),
    ];
    for (instructions, location) in cases {
        let saved_before = [&[cfa::offset(RBP), 2], instructions].concat();
        assert_eq!(last(&X86_64, &saved_before), x86_64(RSP, 8, location), "{instructions:?}");
    }
}

#[test]
fn rows_are_remembered_and_restored() {
    let instructions = [
        cfa::DEF_CFA_OFFSET,
        64,
        cfa::REMEMBER_STATE,
        cfa::offset(RBP),
        2,
        cfa::REMEMBER_STATE,
        cfa::DEF_CFA_OFFSET,
        8,
        cfa::GNU_ARGS_SIZE,
        16,
        cfa::advance(9),
        cfa::RESTORE_STATE,
        cfa::advance(9),
        cfa::RESTORE_STATE,
    ];
    let saved = Location::Memory(-16);
    assert_eq!(at(&X86_64, &instructions, 8), x86_64(RSP, 8, saved));
    assert_eq!(at(&X86_64, &instructions, 17), x86_64(RSP, 64, saved));
    assert_eq!(at(&X86_64, &instructions, 18), x86_64(RSP, 64, Location::Unchanged));
}

#[test]
fn a_cfa_by_expression_has_no_register() {
    let by_expression = [cfa::DEF_CFA_EXPRESSION, 3, 0x77, 0x08, 0x06];
    assert_eq!(last(&X86_64, &by_expression).unwrap().cfa_register, None);
    let after = [&by_expression[..], &[cfa::DEF_CFA, RSP, 16]].concat();
    assert_eq!(last(&X86_64, &after), x86_64(RSP, 16, Location::Unchanged));
    let incomplete = [&by_expression[..], &[cfa::DEF_CFA_OFFSET, 16]].concat();
    assert_eq!(last(&X86_64, &incomplete), None);
}

#[test]
fn signed_addresses_have_the_same_locations() {
    let signed = [cfa::AARCH64_NEGATE_RA_STATE, cfa::offset(X30), 1];
    assert_eq!(last(&AARCH64, &signed).unwrap().return_address, Location::Memory(-8));
    for augmentation in ["zRB", "zRG"] {
        let other = Tables { augmentation, ..AARCH64 };
        assert_eq!(last(&other, &signed).unwrap().return_address, Location::Memory(-8));
    }
}

#[test]
fn unsupported_tables_have_no_row() {
    let too_many_rows = [cfa::REMEMBER_STATE; 5];
    let mut huge = [cfa::DEF_CFA_OFFSET; 11];
    huge[1..].copy_from_slice(&leb(1 << 31));
    let mut smallest = [cfa::DEF_CFA_OFFSET_SF; 11];
    smallest[1..].copy_from_slice(&leb(1 << 63));
    smallest[10] = 0x7f;
    let cases: [&[u8]; 8] = [
        // A signature that includes the program counter, and an unknown opcode.
        &[0x2c],
        &[0x3f],
        &[cfa::AARCH64_NEGATE_RA_STATE],
        &[cfa::RESTORE_STATE],
        &too_many_rows,
        &huge,
        &smallest,
        // An expression that extends beyond the function.
        &[cfa::EXPRESSION, RBP, 100],
    ];
    for instructions in cases {
        assert_eq!(last(&X86_64, instructions), None, "{instructions:?}");
    }
    for augmentation in ["", "R", "zX", "zRS", "eh"] {
        let other = Tables { augmentation, ..X86_64 };
        assert_eq!(last(&other, &[]), None, "{augmentation}");
    }
    let another_return_address = Tables { return_address: RBX, ..AARCH64 };
    assert_eq!(last(&another_return_address, &[]), None);
}

#[test]
fn later_instructions_are_not_read() {
    let instructions = [cfa::DEF_CFA_OFFSET, 32, cfa::advance(10), 0x3f];
    assert_eq!(at(&X86_64, &instructions, 9), x86_64(RSP, 32, Location::Unchanged));
    assert_eq!(at(&X86_64, &instructions, 10), None);
}

#[test]
fn addresses_outside_of_functions_have_no_row() {
    assert!(last(&X86_64, &[]).is_some());
    let tables = X86_64.with(&[]);
    for address in [CODE - 1, CODE + CODE_LENGTH, 0, usize::MAX] {
        assert_eq!(row(&ON_X86_64, &tables, HDR_ADDRESS, address), None, "{address:#x}");
    }
}

#[test]
fn an_index_of_many_functions_is_searched() {
    // The index of one function is replaced by one of six, which all have the same description.
    let tables = X86_64.with(&[]);
    let (index, entries) = tables.split_at(12);
    let (pair, rest) = entries.split_at(8);
    let mut many = [&index[..8], &i32_bytes(6)].concat();
    for function in 0..6 {
        let start = CODE - HDR_ADDRESS + function * 2 * CODE_LENGTH;
        let description = i32::from_le_bytes(pair[4..].try_into().unwrap()) as usize + 40;
        many.extend(i32_bytes(start));
        many.extend(i32_bytes(description));
    }
    many.extend(rest);
    for function in 0..6 {
        let start = CODE + function * 2 * CODE_LENGTH;
        let has_row = |address| row(&ON_X86_64, &many, HDR_ADDRESS, address).is_some();
        assert!(has_row(start) && has_row(start + CODE_LENGTH - 1), "{function}");
        assert!(!has_row(start - 1) && !has_row(start + CODE_LENGTH), "{function}");
    }
}

/// Replaces every byte of the tables by every other value, and truncates the tables after each
/// byte.
#[test]
fn damaged_tables_are_read_without_harm() {
    let tables = AARCH64.with(&[
        cfa::advance(1),
        cfa::AARCH64_NEGATE_RA_STATE,
        cfa::DEF_CFA_OFFSET,
        64,
        cfa::offset(X29),
        8,
        cfa::offset(X30),
        7,
    ]);
    let read = |tables: &[u8]| row(&ON_AARCH64, tables, HDR_ADDRESS, CODE + 16);
    let intact = read(&tables).unwrap();
    assert_eq!(intact.return_address, Location::Memory(-56));
    let (mut gone, mut changed) = (0, 0);
    for at in 0..tables.len() {
        for byte in 0..=u8::MAX {
            let mut damaged = tables.clone();
            damaged[at] = byte;
            match read(&damaged) {
                None => gone += 1,
                Some(row) => changed += usize::from(row != intact),
            }
        }
        _ = read(&tables[..at]);
    }
    assert!(gone > 5000 && changed > 500, "{gone} and {changed}");
}
