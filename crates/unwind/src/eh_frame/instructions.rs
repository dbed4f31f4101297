//! Executes call frame instructions, which yield the locations of the caller's registers.

use super::Arch;
use super::opcodes;
use super::reader::Reader;

/// The location of one of the caller's registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// In the same register, which the function has not changed.
    Unchanged,
    /// Nowhere, because its value is lost.
    Undefined,
    /// In memory, at this offset in bytes from the CFA.
    Memory(i32),
    /// In a location that this module does not support.
    Unsupported,
}

/// The locations that apply to a range of a function's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The number of the register to which the CFA is relative, `None` if it is an expression.
    pub(crate) cfa_register: Option<u16>,
    /// The offset in bytes of the CFA from that register.
    pub(crate) cfa_offset: i32,
    pub(crate) return_address: Location,
    pub(crate) frame_pointer: Location,
}

/// The depth of the stack of remembered rows. Compilers use one.
const MAX_SAVED_ROWS: usize = 4;

/// An interpreter for the instructions of a CIE and an FDE.
pub(super) struct State<'a> {
    arch: &'a Arch,
    code_alignment: u64,
    data_alignment: i64,
    row: Row,
    /// The row at the start of the function.
    initial: Row,
    saved_rows: [Row; MAX_SAVED_ROWS],
    saved_row_count: usize,
    /// The offset in the function at which the current row begins, in bytes.
    offset: u64,
    /// The offset in the function for which the row is requested.
    wanted: u64,
}

impl<'a> State<'a> {
    pub(super) fn new(arch: &'a Arch, code_alignment: u64, data_alignment: i64) -> Self {
        let row = Row {
            cfa_register: None,
            cfa_offset: 0,
            return_address: Location::Unchanged,
            frame_pointer: Location::Unchanged,
        };
        Self {
            arch,
            code_alignment,
            data_alignment,
            row,
            initial: row,
            saved_rows: [row; MAX_SAVED_ROWS],
            saved_row_count: 0,
            offset: 0,
            wanted: u64::MAX,
        }
    }

    /// Returns the row at an offset in a function, given the instructions of its CIE and its FDE.
    pub(super) fn row_at(&mut self, wanted: u64, cie: Reader<'_>, fde: Reader<'_>) -> Option<Row> {
        self.run(cie)?;
        self.initial = self.row;
        self.offset = 0;
        self.wanted = wanted;
        self.run(fde)?;
        Some(self.row)
    }

    /// Executes instructions up to the one that advances beyond the wanted offset.
    fn run(&mut self, mut instructions: Reader<'_>) -> Option<()> {
        while !instructions.remaining().is_empty() && self.offset <= self.wanted {
            self.step(&mut instructions)?;
        }
        Some(())
    }

    fn step(&mut self, rest: &mut Reader<'_>) -> Option<()> {
        let instruction = rest.u8()?;
        let number = u64::from(instruction & !opcodes::PRIMARY_MASK);
        match instruction & opcodes::PRIMARY_MASK {
            opcodes::ADVANCE => self.advance(number),
            opcodes::OFFSET => {
                let below = rest.unsigned()?;
                self.save(number, i64::try_from(below).ok()?)
            }
            opcodes::RESTORE => self.restore(number),
            _ => self.step_extended(instruction, rest),
        }
    }

    fn step_extended(&mut self, instruction: u8, rest: &mut Reader<'_>) -> Option<()> {
        let register = match instruction {
            opcodes::OFFSET_EXTENDED..=opcodes::REGISTER
            | opcodes::DEF_CFA
            | opcodes::DEF_CFA_REGISTER
            | opcodes::EXPRESSION..=opcodes::DEF_CFA_SF
            | opcodes::VAL_OFFSET..=opcodes::VAL_EXPRESSION => rest.unsigned()?,
            _ => 0,
        };
        let number = match instruction {
            opcodes::ADVANCE_1 => rest.number(1)?.cast_signed(),
            opcodes::ADVANCE_2 => rest.number(2)?.cast_signed(),
            opcodes::ADVANCE_4 => rest.number(4)?.cast_signed(),
            opcodes::OFFSET_EXTENDED
            | opcodes::REGISTER
            | opcodes::DEF_CFA
            | opcodes::DEF_CFA_OFFSET
            | opcodes::VAL_OFFSET
            | opcodes::GNU_ARGS_SIZE => i64::try_from(rest.unsigned()?).ok()?,
            opcodes::OFFSET_EXTENDED_SF
            | opcodes::DEF_CFA_SF
            | opcodes::DEF_CFA_OFFSET_SF
            | opcodes::VAL_OFFSET_SF => rest.signed()?,
            opcodes::DEF_CFA_EXPRESSION | opcodes::EXPRESSION | opcodes::VAL_EXPRESSION => {
                let length = rest.length()?;
                rest.skip(length)?;
                0
            }
            _ => 0,
        };
        self.execute(instruction, register, number)
    }

    fn execute(&mut self, instruction: u8, register: u64, number: i64) -> Option<()> {
        match instruction {
            opcodes::NOP | opcodes::GNU_ARGS_SIZE => {}
            opcodes::AARCH64_NEGATE_RA_STATE if self.arch.signs_addresses => {}
            opcodes::ADVANCE_1 | opcodes::ADVANCE_2 | opcodes::ADVANCE_4 => {
                self.advance(number.cast_unsigned())?
            }
            opcodes::OFFSET_EXTENDED | opcodes::OFFSET_EXTENDED_SF => {
                self.save(register, number)?
            }
            opcodes::RESTORE_EXTENDED => self.restore(register)?,
            opcodes::UNDEFINED => self.set(register, Location::Undefined),
            opcodes::SAME_VALUE => self.set(register, Location::Unchanged),
            opcodes::REGISTER
            | opcodes::EXPRESSION
            | opcodes::VAL_OFFSET..=opcodes::VAL_EXPRESSION => {
                self.set(register, Location::Unsupported)
            }
            opcodes::REMEMBER_STATE => {
                *self.saved_rows.get_mut(self.saved_row_count)? = self.row;
                self.saved_row_count += 1;
            }
            opcodes::RESTORE_STATE => {
                self.saved_row_count = self.saved_row_count.checked_sub(1)?;
                self.row = *self.saved_rows.get(self.saved_row_count)?;
            }
            opcodes::DEF_CFA | opcodes::DEF_CFA_SF => {
                self.row.cfa_register = Some(u16::try_from(register).ok()?);
                self.row.cfa_offset = self.offset(instruction == opcodes::DEF_CFA_SF, number)?;
            }
            opcodes::DEF_CFA_REGISTER => {
                self.row.cfa_register?;
                self.row.cfa_register = Some(u16::try_from(register).ok()?);
            }
            opcodes::DEF_CFA_OFFSET | opcodes::DEF_CFA_OFFSET_SF => {
                self.row.cfa_register?;
                self.row.cfa_offset =
                    self.offset(instruction == opcodes::DEF_CFA_OFFSET_SF, number)?;
            }
            opcodes::DEF_CFA_EXPRESSION => self.row.cfa_register = None,
            _ => return None,
        }
        Some(())
    }

    fn advance(&mut self, units: u64) -> Option<()> {
        self.offset = self.offset.checked_add(units.checked_mul(self.code_alignment)?)?;
        Some(())
    }

    fn offset(&self, factored: bool, number: i64) -> Option<i32> {
        let factor = if factored { self.data_alignment } else { 1 };
        i32::try_from(number.checked_mul(factor)?).ok()
    }

    fn save(&mut self, register: u64, number: i64) -> Option<()> {
        let offset = self.offset(true, number)?;
        self.set(register, Location::Memory(offset));
        Some(())
    }

    fn restore(&mut self, register: u64) -> Option<()> {
        if register == u64::from(self.arch.return_address) {
            self.row.return_address = self.initial.return_address;
        } else if register == u64::from(self.arch.frame_pointer) {
            self.row.frame_pointer = self.initial.frame_pointer;
        }
        Some(())
    }

    fn set(&mut self, register: u64, location: Location) {
        if register == u64::from(self.arch.return_address) {
            self.row.return_address = location;
        } else if register == u64::from(self.arch.frame_pointer) {
            self.row.frame_pointer = location;
        }
    }
}
