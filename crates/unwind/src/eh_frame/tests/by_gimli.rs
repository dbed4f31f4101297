//! Compares rows with those that gimli reads from the same tables.

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EndianSlice, LittleEndian, ParsedEhFrameHdr,
    Register, RegisterRule, UnwindContext, UnwindContextStorage, UnwindSection, UnwindTableRow,
    Vendor,
};

use super::*;
use crate::objects;

struct Storage;

impl UnwindContextStorage<usize> for Storage {
    type Rules = [(Register, RegisterRule<usize>); 32];
    type Stack = [UnwindTableRow<usize, Self>; 6];
}

type Slice<'a> = EndianSlice<'a, LittleEndian>;

struct Gimli<'a> {
    arch: &'a Arch,
    index: ParsedEhFrameHdr<Slice<'a>>,
    tables: EhFrame<Slice<'a>>,
    bases: BaseAddresses,
}

impl<'a> Gimli<'a> {
    fn new(arch: &'a Arch, index: &'a [u8], index_address: usize) -> Self {
        let bases = BaseAddresses::default().set_eh_frame_hdr(index_address as u64);
        let parsed = EhFrameHdr::new(index, LittleEndian).parse(&bases, 8).unwrap();
        let gimli::Pointer::Direct(start) = parsed.eh_frame_ptr() else { panic!("it is direct") };
        let behind = &index[start as usize - index_address..];
        let mut tables = EhFrame::new(behind, LittleEndian);
        if arch.signs_addresses {
            tables.set_vendor(Vendor::AArch64);
        }
        Self { arch, index: parsed, tables, bases: bases.set_eh_frame(start) }
    }

    /// Calls `each` with the start, the end and the contents of each row of a function, up to one
    /// that gimli cannot read.
    fn rows(
        &self,
        description: gimli::Pointer,
        mut each: impl FnMut(u64, u64, Option<Row>),
    ) -> gimli::Result<()> {
        let table = self.index.table().unwrap();
        let offset = table.pointer_to_offset(description)?;
        let common = EhFrame::cie_from_offset;
        let description = self.tables.fde_from_offset(&self.bases, offset, common)?;
        let mut context: UnwindContext<usize, Storage> = UnwindContext::new_in();
        let mut rows = description.rows(&self.tables, &self.bases, &mut context)?;
        while let Some(row) = rows.next_row()? {
            let ours = (!description.is_signal_trampoline()).then(|| self.row(row));
            each(row.start_address(), row.end_address(), ours);
        }
        Ok(())
    }

    fn row(&self, row: &UnwindTableRow<usize, Storage>) -> Row {
        let (cfa_register, cfa_offset) = match row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => {
                (Some(register.0), i32::try_from(*offset).unwrap())
            }
            CfaRule::Expression(_) => (None, 0),
        };
        let location = |register| match row.register(Register(register)) {
            None | Some(RegisterRule::SameValue) => Location::Unchanged,
            Some(RegisterRule::Undefined) => Location::Undefined,
            Some(RegisterRule::Offset(offset)) => Location::Memory(i32::try_from(offset).unwrap()),
            Some(_) => Location::Unsupported,
        };
        let return_address = location(self.arch.return_address);
        Row {
            cfa_register,
            cfa_offset,
            return_address,
            frame_pointer: location(self.arch.frame_pointer),
        }
    }
}

/// Returns a row in comparable form. Without a CFA register, the offset has no meaning.
fn comparable(row: Option<Row>) -> Option<Row> {
    row.map(|row| Row {
        cfa_offset: if row.cfa_register.is_some() { row.cfa_offset } else { 0 },
        ..row
    })
}

/// The architecture of this program.
const NATIVE: Arch = if cfg!(target_arch = "aarch64") { ON_AARCH64 } else { ON_X86_64 };

/// Compares the rows of every `step`th function at both ends of each row.
fn compare(code: usize, step: usize) -> usize {
    assert!(objects::prepare());
    let index = objects::eh_frame_hdr(code).expect("the code has tables");
    let index_address = index.as_ptr().addr();
    let read = Gimli::new(&NATIVE, index, index_address);
    let mut compared = 0;
    for entry in read.index.table().unwrap().iter(&read.bases).step_by(step) {
        let (_, description) = entry.unwrap();
        let rows = read.rows(description, |start, end, theirs| {
            for address in [start, end - 1] {
                let ours = row(&NATIVE, index, index_address, address as usize);
                assert_eq!(comparable(ours), comparable(theirs), "{address:#x}");
                compared += 1;
            }
        });
        rows.unwrap();
    }
    compared
}

#[test]
fn this_programs_rows_are_the_same() {
    let code = this_programs_rows_are_the_same as fn() as usize;
    let compared = compare(code, 17);
    assert!(compared > 1000, "{compared}");
}

#[test]
fn the_c_librarys_rows_are_the_same() {
    let code = libc::qsort as *const () as usize;
    let compared = compare(code, 3);
    assert!(compared > 1000, "{compared}");
}

fn next(random: u64) -> u64 {
    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}

/// Returns random opcodes and operands.
fn draw(random: &mut u64) -> Vec<u8> {
    const ALL: [u8; 24] = [
        cfa::NOP,
        cfa::ADVANCE_1,
        cfa::OFFSET_EXTENDED,
        cfa::RESTORE_EXTENDED,
        cfa::UNDEFINED,
        cfa::SAME_VALUE,
        cfa::REGISTER,
        cfa::REMEMBER_STATE,
        cfa::RESTORE_STATE,
        cfa::DEF_CFA,
        cfa::DEF_CFA_REGISTER,
        cfa::DEF_CFA_OFFSET,
        cfa::DEF_CFA_EXPRESSION,
        cfa::EXPRESSION,
        cfa::OFFSET_EXTENDED_SF,
        cfa::DEF_CFA_SF,
        cfa::DEF_CFA_OFFSET_SF,
        cfa::VAL_OFFSET,
        cfa::VAL_OFFSET_SF,
        cfa::VAL_EXPRESSION,
        cfa::AARCH64_NEGATE_RA_STATE,
        cfa::advance(3),
        cfa::offset(X29),
        cfa::restore(X30),
    ];
    const NUMBERS: [u8; 8] = [1, X29, X30, SP, 2, 64, 0x7e, 5];
    (0..32)
        .map(|_| {
            *random = next(*random);
            let (kind, which) = (*random >> 62, (*random >> 32) as usize);
            if kind == 0 { NUMBERS[which % NUMBERS.len()] } else { ALL[which % ALL.len()] }
        })
        .collect()
}

#[test]
fn rows_of_random_instructions_are_the_same() {
    let (mut random, mut compared) = (7, 0);
    for _ in 0..30_000 {
        let instructions = draw(&mut random);
        let tables = AARCH64.with(&instructions);
        let read = Gimli::new(&ON_AARCH64, &tables, HDR_ADDRESS);
        let table = read.index.table().unwrap();
        let description = table.lookup(CODE as u64, &read.bases).unwrap();
        // An error only concerns the rows after those that were compared.
        _ = read.rows(description, |start, end, theirs| {
            let address = start.midpoint(end) as usize;
            let ours = row(&ON_AARCH64, &tables, HDR_ADDRESS, address);
            // An advance by zero yields an empty row.
            if start < end && ours.is_some() {
                assert_eq!(
                    comparable(ours),
                    comparable(theirs),
                    "{instructions:x?} at {address:#x}"
                );
                compared += 1;
            }
        });
    }
    assert!(compared > 20_000, "{compared}");
}
