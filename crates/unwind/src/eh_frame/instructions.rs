//! Call frame instructions: what of the caller's is where, from one instruction of a function on.

use super::Processor;
use super::code;
use super::reader::Reader;

/// Where a register of the caller's is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Where it was: this function has not touched it.
    Kept,
    /// Nowhere.
    Lost,
    /// In memory, so many bytes above the CFA.
    Saved(i32),
    /// Elsewhere.
    Other,
}

/// What holds from one instruction of a function to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The number of the register that the CFA is reckoned from; none where it takes more than that.
    pub(crate) base: Option<u16>,
    /// How many bytes the CFA is above that.
    pub(crate) distance: i32,
    pub(crate) return_address: Place,
    pub(crate) frame_pointer: Place,
}

/// Rows that a function may put aside at a time; compilers use one.
const ASIDE: usize = 4;

/// The run of the instructions of a function and of what it has in common with others.
pub(super) struct State<'a> {
    processor: &'a Processor,
    code_alignment: u64,
    data_alignment: i64,
    row: Row,
    /// What holds where a function begins.
    initial: Row,
    aside: [Row; ASIDE],
    aside_count: usize,
    /// Where the row begins, in bytes from the function's start, and where a row is wanted.
    offset: u64,
    wanted: u64,
}

impl<'a> State<'a> {
    pub(super) fn new(processor: &'a Processor, code_alignment: u64, data_alignment: i64) -> Self {
        let row = Row {
            base: None,
            distance: 0,
            return_address: Place::Kept,
            frame_pointer: Place::Kept,
        };
        Self {
            processor,
            code_alignment,
            data_alignment,
            row,
            initial: row,
            aside: [row; ASIDE],
            aside_count: 0,
            offset: 0,
            wanted: u64::MAX,
        }
    }

    /// What holds at an offset into a function, by the instructions that functions have in common and
    /// by its own.
    pub(super) fn row_at(
        &mut self,
        wanted: u64,
        common: Reader<'_>,
        function: Reader<'_>,
    ) -> Option<Row> {
        self.run(common)?;
        self.initial = self.row;
        self.offset = 0;
        self.wanted = wanted;
        self.run(function)?;
        Some(self.row)
    }

    /// Up to the instruction that goes on behind what is wanted.
    fn run(&mut self, mut instructions: Reader<'_>) -> Option<()> {
        while !instructions.left().is_empty() && self.offset <= self.wanted {
            self.step(&mut instructions)?;
        }
        Some(())
    }

    fn step(&mut self, rest: &mut Reader<'_>) -> Option<()> {
        let instruction = rest.u8()?;
        let number = u64::from(instruction & !code::SHORT);
        match instruction & code::SHORT {
            code::ADVANCE => self.advance(number),
            code::OFFSET => {
                let below = rest.unsigned()?;
                self.save(number, i64::try_from(below).ok()?)
            }
            code::RESTORE => self.restore(number),
            _ => self.step_long(instruction, rest),
        }
    }

    fn step_long(&mut self, instruction: u8, rest: &mut Reader<'_>) -> Option<()> {
        let register = match instruction {
            code::OFFSET_EXTENDED..=code::REGISTER
            | code::DEF_CFA
            | code::DEF_CFA_REGISTER
            | code::EXPRESSION..=code::DEF_CFA_SF
            | code::VAL_OFFSET..=code::VAL_EXPRESSION => rest.unsigned()?,
            _ => 0,
        };
        let number = match instruction {
            code::ADVANCE_1 => rest.number(1)?.cast_signed(),
            code::ADVANCE_2 => rest.number(2)?.cast_signed(),
            code::ADVANCE_4 => rest.number(4)?.cast_signed(),
            code::OFFSET_EXTENDED
            | code::REGISTER
            | code::DEF_CFA
            | code::DEF_CFA_OFFSET
            | code::VAL_OFFSET
            | code::GNU_ARGS_SIZE => i64::try_from(rest.unsigned()?).ok()?,
            code::OFFSET_EXTENDED_SF
            | code::DEF_CFA_SF
            | code::DEF_CFA_OFFSET_SF
            | code::VAL_OFFSET_SF => rest.signed()?,
            code::DEF_CFA_EXPRESSION | code::EXPRESSION | code::VAL_EXPRESSION => {
                let length = rest.length()?;
                rest.skip(length)?;
                0
            }
            _ => 0,
        };
        self.perform(instruction, register, number)
    }

    fn perform(&mut self, instruction: u8, register: u64, number: i64) -> Option<()> {
        match instruction {
            code::NOP | code::GNU_ARGS_SIZE => {}
            code::AARCH64_NEGATE_RA_STATE if self.processor.signs => {}
            code::ADVANCE_1 | code::ADVANCE_2 | code::ADVANCE_4 => {
                self.advance(number.cast_unsigned())?
            }
            code::OFFSET_EXTENDED | code::OFFSET_EXTENDED_SF => self.save(register, number)?,
            code::RESTORE_EXTENDED => self.restore(register)?,
            code::UNDEFINED => self.set(register, Place::Lost),
            code::SAME_VALUE => self.set(register, Place::Kept),
            code::REGISTER | code::EXPRESSION | code::VAL_OFFSET..=code::VAL_EXPRESSION => {
                self.set(register, Place::Other)
            }
            code::REMEMBER_STATE => {
                *self.aside.get_mut(self.aside_count)? = self.row;
                self.aside_count += 1;
            }
            code::RESTORE_STATE => {
                self.aside_count = self.aside_count.checked_sub(1)?;
                self.row = *self.aside.get(self.aside_count)?;
            }
            code::DEF_CFA | code::DEF_CFA_SF => {
                self.row.base = Some(u16::try_from(register).ok()?);
                self.row.distance = self.distance(instruction == code::DEF_CFA_SF, number)?;
            }
            code::DEF_CFA_REGISTER => {
                self.row.base?;
                self.row.base = Some(u16::try_from(register).ok()?);
            }
            code::DEF_CFA_OFFSET | code::DEF_CFA_OFFSET_SF => {
                self.row.base?;
                self.row.distance =
                    self.distance(instruction == code::DEF_CFA_OFFSET_SF, number)?;
            }
            code::DEF_CFA_EXPRESSION => self.row.base = None,
            _ => return None,
        }
        Some(())
    }

    fn advance(&mut self, units: u64) -> Option<()> {
        self.offset = self.offset.checked_add(units.checked_mul(self.code_alignment)?)?;
        Some(())
    }

    fn distance(&self, aligned: bool, number: i64) -> Option<i32> {
        let factor = if aligned { self.data_alignment } else { 1 };
        i32::try_from(number.checked_mul(factor)?).ok()
    }

    fn save(&mut self, register: u64, number: i64) -> Option<()> {
        let distance = self.distance(true, number)?;
        self.set(register, Place::Saved(distance));
        Some(())
    }

    fn restore(&mut self, register: u64) -> Option<()> {
        if register == u64::from(self.processor.return_address) {
            self.row.return_address = self.initial.return_address;
        } else if register == u64::from(self.processor.frame_pointer) {
            self.row.frame_pointer = self.initial.frame_pointer;
        }
        Some(())
    }

    fn set(&mut self, register: u64, place: Place) {
        if register == u64::from(self.processor.return_address) {
            self.row.return_address = place;
        } else if register == u64::from(self.processor.frame_pointer) {
            self.row.frame_pointer = place;
        }
    }
}
