//! Rows from tables written by hand, for either processor on both.

mod by_gimli;

use super::{Place, Processor, Row, row};

/// Where the tables think they are.
pub(crate) const PLACE: usize = 0x10_0000;
/// Where the code is, a kilobyte of it.
pub(crate) const CODE: usize = PLACE + 0x1000;
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
    pub(crate) use super::super::code::*;

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

/// As gcc writes them for aarch64.
pub(crate) const AARCH64: Tables = Tables {
    augmentation: "zR",
    code_alignment: 4,
    data_alignment: -8,
    return_address: X30,
    initial: &[cfa::DEF_CFA, SP, 0],
};

pub(crate) const X86_64: Tables = Tables {
    augmentation: "zR",
    code_alignment: 1,
    data_alignment: -8,
    return_address: RIP,
    initial: &[cfa::DEF_CFA, RSP, 8, cfa::offset(RIP), 1],
};

impl Tables {
    pub(crate) fn with(&self, instructions: &[u8]) -> Vec<u8> {
        let mut common = vec![0, 0, 0, 0, 1];
        common.extend(self.augmentation.bytes());
        let data_alignment = self.data_alignment.cast_unsigned() & 0x7f;
        common.extend([0, self.code_alignment, data_alignment, self.return_address, 1, 0x1b]);
        common.extend(self.initial);
        let common = entry(&common);

        // Version, encodings, where the tables are, how many functions, and the one of them.
        let index = 20;
        let description = index + common.len();
        let mut tables = vec![1, 0x1b, 0x03, 0x3b];
        tables.extend(i32_bytes(index - 4));
        tables.extend(i32_bytes(1));
        tables.extend(i32_bytes(CODE - PLACE));
        tables.extend(i32_bytes(description));
        tables.extend(&common);

        let mut function = Vec::new();
        function.extend(i32_bytes(common.len() + 4));
        function.extend(i32_bytes(CODE - PLACE - (description + 8)));
        function.extend(i32_bytes(CODE_LENGTH));
        function.push(0);
        function.extend(instructions);
        tables.extend(entry(&function));
        // The end of the tables.
        tables.extend([0; 4]);
        tables
    }
}

/// With its length in front, padded by instructions that do nothing.
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

/// A number as the tables write it, in as many bytes as any needs.
pub(crate) fn leb(number: u64) -> [u8; 10] {
    std::array::from_fn(|i| {
        let more = if i < 9 { 0x80 } else { 0 };
        (number.checked_shr(7 * i as u32).unwrap_or(0) & 0x7f) as u8 | more
    })
}

const ON_AARCH64: Processor = Processor { return_address: 30, frame_pointer: 29, signs: true };
const ON_X86_64: Processor = Processor { return_address: 16, frame_pointer: 6, signs: false };

/// The row at the end of the function.
fn last(tables: &Tables, instructions: &[u8]) -> Option<Row> {
    at(tables, instructions, CODE_LENGTH - 1)
}

fn at(tables: &Tables, instructions: &[u8], offset: usize) -> Option<Row> {
    let processor = if tables.return_address == RIP { ON_X86_64 } else { ON_AARCH64 };
    row(&processor, &tables.with(instructions), PLACE, CODE + offset)
}

fn x86_64(base: u8, distance: i32, frame_pointer: Place) -> Option<Row> {
    let (base, return_address) = (Some(base.into()), Place::Saved(-8));
    Some(Row { base, distance, return_address, frame_pointer })
}

#[test]
fn a_row_holds_from_its_instruction_up_to_the_next() {
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
    let saved = Place::Saved(-16);
    let rows = [
        (0..1, x86_64(RSP, 8, Place::Kept)),
        (1..4, x86_64(RSP, 16, saved)),
        (4..0x104, x86_64(RBP, 16, saved)),
        (0x104..CODE_LENGTH, x86_64(RSP, 8, Place::Kept)),
    ];
    for (range, row) in rows {
        for offset in [range.start, range.end - 1] {
            assert_eq!(at(&X86_64, &instructions, offset), row, "{offset:#x}");
        }
    }
}

#[test]
fn steps_are_in_units_of_code() {
    for advance in [&[cfa::advance(2)][..], &[cfa::ADVANCE_1, 2], &[cfa::ADVANCE_4, 2, 0, 0, 0]] {
        let instructions = [advance, &[cfa::DEF_CFA_OFFSET, 32]].concat();
        assert_eq!(at(&AARCH64, &instructions, 7).unwrap().distance, 0);
        assert_eq!(at(&AARCH64, &instructions, 8).unwrap().distance, 32);
    }
}

#[test]
fn distances_are_in_units_of_data_where_they_are_said_to_be() {
    let minus_3 = 0x7d;
    let row = last(&X86_64, &[cfa::DEF_CFA_SF, RBX, minus_3]);
    assert_eq!(row, x86_64(RBX, 24, Place::Kept));
    let row = last(&X86_64, &[cfa::DEF_CFA_OFFSET_SF, minus_3]);
    assert_eq!(row, x86_64(RSP, 24, Place::Kept));
    let row = last(&X86_64, &[cfa::OFFSET_EXTENDED_SF, RBP, minus_3]);
    assert_eq!(row, x86_64(RSP, 8, Place::Saved(24)));
    let row = last(&X86_64, &[cfa::OFFSET_EXTENDED, RBP, 3]);
    assert_eq!(row, x86_64(RSP, 8, Place::Saved(-24)));
}

#[test]
fn registers_are_where_the_last_instruction_says() {
    let cases: [(&[u8], Place); 9] = [
        (&[cfa::UNDEFINED, RBP], Place::Lost),
        (&[cfa::SAME_VALUE, RBP], Place::Kept),
        (&[cfa::REGISTER, RBP, RBX], Place::Other),
        (&[cfa::EXPRESSION, RBP, 2, 0x77, 0x10], Place::Other),
        (&[cfa::VAL_EXPRESSION, RBP, 1, 0x50], Place::Other),
        (&[cfa::VAL_OFFSET, RBP, 1], Place::Other),
        (&[cfa::VAL_OFFSET_SF, RBP, 1], Place::Other),
        (&[cfa::RESTORE_EXTENDED, RBP], Place::Kept),
        (&[cfa::REGISTER, RBX, RBP], Place::Saved(-16)),
    ];
    for (instructions, place) in cases {
        let saved_before = [&[cfa::offset(RBP), 2], instructions].concat();
        assert_eq!(last(&X86_64, &saved_before), x86_64(RSP, 8, place), "{instructions:?}");
    }
}

#[test]
fn rows_are_put_aside_and_fetched_again() {
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
    let saved = Place::Saved(-16);
    assert_eq!(at(&X86_64, &instructions, 8), x86_64(RSP, 8, saved));
    assert_eq!(at(&X86_64, &instructions, 17), x86_64(RSP, 64, saved));
    assert_eq!(at(&X86_64, &instructions, 18), x86_64(RSP, 64, Place::Kept));
}

#[test]
fn a_cfa_by_expression_has_no_register() {
    let by_expression = [cfa::DEF_CFA_EXPRESSION, 3, 0x77, 0x08, 0x06];
    assert_eq!(last(&X86_64, &by_expression).unwrap().base, None);
    let after = [&by_expression[..], &[cfa::DEF_CFA, RSP, 16]].concat();
    assert_eq!(last(&X86_64, &after), x86_64(RSP, 16, Place::Kept));
    let incomplete = [&by_expression[..], &[cfa::DEF_CFA_OFFSET, 16]].concat();
    assert_eq!(last(&X86_64, &incomplete), None);
}

#[test]
fn signatures_change_no_place() {
    let signed = [cfa::AARCH64_NEGATE_RA_STATE, cfa::offset(X30), 1];
    assert_eq!(last(&AARCH64, &signed).unwrap().return_address, Place::Saved(-8));
    for augmentation in ["zRB", "zRG"] {
        let other = Tables { augmentation, ..AARCH64 };
        assert_eq!(last(&other, &signed).unwrap().return_address, Place::Saved(-8));
    }
}

#[test]
fn what_is_not_understood_has_no_row() {
    let rows_aside = [cfa::REMEMBER_STATE; 5];
    let mut huge = [cfa::DEF_CFA_OFFSET; 11];
    huge[1..].copy_from_slice(&leb(1 << 31));
    let mut smallest = [cfa::DEF_CFA_OFFSET_SF; 11];
    smallest[1..].copy_from_slice(&leb(1 << 63));
    smallest[10] = 0x7f;
    let cases: [&[u8]; 8] = [
        // The program counter as part of a signature, an instruction that does not exist.
        &[0x2c],
        &[0x3f],
        &[cfa::AARCH64_NEGATE_RA_STATE],
        &[cfa::RESTORE_STATE],
        &rows_aside,
        &huge,
        &smallest,
        // A block that goes on behind its function.
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
fn what_comes_later_is_not_read() {
    let instructions = [cfa::DEF_CFA_OFFSET, 32, cfa::advance(10), 0x3f];
    assert_eq!(at(&X86_64, &instructions, 9), x86_64(RSP, 32, Place::Kept));
    assert_eq!(at(&X86_64, &instructions, 10), None);
}

#[test]
fn addresses_outside_of_functions_have_no_row() {
    assert!(last(&X86_64, &[]).is_some());
    let tables = X86_64.with(&[]);
    for address in [CODE - 1, CODE + CODE_LENGTH, 0, usize::MAX] {
        assert_eq!(row(&ON_X86_64, &tables, PLACE, address), None, "{address:#x}");
    }
}

#[test]
fn an_index_of_many_functions_is_searched() {
    // The index of the tables of one function, which has it five times more.
    let tables = X86_64.with(&[]);
    let (index, entries) = tables.split_at(12);
    let (pair, rest) = entries.split_at(8);
    let mut many = [&index[..8], &i32_bytes(6)].concat();
    for function in 0..6 {
        let start = CODE - PLACE + function * 2 * CODE_LENGTH;
        let description = i32::from_le_bytes(pair[4..].try_into().unwrap()) as usize + 40;
        many.extend(i32_bytes(start));
        many.extend(i32_bytes(description));
    }
    many.extend(rest);
    for function in 0..6 {
        let start = CODE + function * 2 * CODE_LENGTH;
        let has_row = |address| row(&ON_X86_64, &many, PLACE, address).is_some();
        assert!(has_row(start) && has_row(start + CODE_LENGTH - 1), "{function}");
        assert!(!has_row(start - 1) && !has_row(start + CODE_LENGTH), "{function}");
    }
}

/// Every byte of a function's tables replaced by every other, and the tables cut off after each.
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
    let read = |tables: &[u8]| row(&ON_AARCH64, tables, PLACE, CODE + 16);
    let intact = read(&tables).unwrap();
    assert_eq!(intact.return_address, Place::Saved(-56));
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
