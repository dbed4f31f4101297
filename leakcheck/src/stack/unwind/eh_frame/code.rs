//! The numbers of call frame instructions.

/// The bits in which instructions with a number in the same byte differ.
pub(super) const SHORT: u8 = 0xc0;
pub(in crate::stack::unwind) const ADVANCE: u8 = 0x40;
pub(in crate::stack::unwind) const OFFSET: u8 = 0x80;
pub(in crate::stack::unwind) const RESTORE: u8 = 0xc0;

// The others have zeros there.
pub(in crate::stack::unwind) const NOP: u8 = 0x00;
pub(in crate::stack::unwind) const ADVANCE_1: u8 = 0x02;
pub(in crate::stack::unwind) const ADVANCE_2: u8 = 0x03;
pub(in crate::stack::unwind) const ADVANCE_4: u8 = 0x04;
pub(in crate::stack::unwind) const OFFSET_EXTENDED: u8 = 0x05;
pub(in crate::stack::unwind) const RESTORE_EXTENDED: u8 = 0x06;
pub(in crate::stack::unwind) const UNDEFINED: u8 = 0x07;
pub(in crate::stack::unwind) const SAME_VALUE: u8 = 0x08;
pub(in crate::stack::unwind) const REGISTER: u8 = 0x09;
pub(in crate::stack::unwind) const REMEMBER_STATE: u8 = 0x0a;
pub(in crate::stack::unwind) const RESTORE_STATE: u8 = 0x0b;
pub(in crate::stack::unwind) const DEF_CFA: u8 = 0x0c;
pub(in crate::stack::unwind) const DEF_CFA_REGISTER: u8 = 0x0d;
pub(in crate::stack::unwind) const DEF_CFA_OFFSET: u8 = 0x0e;
pub(in crate::stack::unwind) const DEF_CFA_EXPRESSION: u8 = 0x0f;
pub(in crate::stack::unwind) const EXPRESSION: u8 = 0x10;
pub(in crate::stack::unwind) const OFFSET_EXTENDED_SF: u8 = 0x11;
pub(in crate::stack::unwind) const DEF_CFA_SF: u8 = 0x12;
pub(in crate::stack::unwind) const DEF_CFA_OFFSET_SF: u8 = 0x13;
pub(in crate::stack::unwind) const VAL_OFFSET: u8 = 0x14;
pub(in crate::stack::unwind) const VAL_OFFSET_SF: u8 = 0x15;
pub(in crate::stack::unwind) const VAL_EXPRESSION: u8 = 0x16;
pub(in crate::stack::unwind) const AARCH64_NEGATE_RA_STATE: u8 = 0x2d;
pub(in crate::stack::unwind) const GNU_ARGS_SIZE: u8 = 0x2e;
