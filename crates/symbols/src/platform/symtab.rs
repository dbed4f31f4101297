//! The running program's symbol table: the whole path of a function, where its debug information
//! has only the last part.

use std::sync::OnceLock;

use object::{Object, ObjectKind, ObjectSymbol, SymbolKind};

use crate::module;

/// The functions of the running program, by address.
struct Functions {
    /// Where the program begins in memory.
    base: usize,
    /// What addresses in the file are relative to in memory.
    bias: u64,
    /// Start, end and mangled name.
    all: Vec<(u64, u64, Box<str>)>,
}

/// The function that an address of the running program lies in.
pub(super) fn function_at(address: usize) -> Option<String> {
    static FUNCTIONS: OnceLock<Option<Functions>> = OnceLock::new();
    let functions = FUNCTIONS.get_or_init(Functions::of_program).as_ref()?;
    // An address of another module has no place in this table.
    if module::at(address)?.base != functions.base {
        return None;
    }
    // A return address may be the first one behind its function.
    let place = (address as u64).checked_sub(functions.bias)?.checked_sub(1)?;
    let index = functions.all.partition_point(|(start, ..)| *start <= place).checked_sub(1)?;
    let (_, end, name) = &functions.all[index];
    (place < *end).then(|| format!("{:#}", rustc_demangle::demangle(name)))
}

impl Functions {
    fn of_program() -> Option<Self> {
        let base = module::at(function_at as *const () as usize)?.base;
        let data = std::fs::read(std::env::current_exe().ok()?).ok()?;
        let program = object::File::parse(&*data).ok()?;
        let bias = if program.kind() == ObjectKind::Dynamic { base as u64 } else { 0 };
        let mut all: Vec<_> = program
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
            .filter_map(|symbol| {
                let (start, name) = (symbol.address(), symbol.name().ok()?);
                Some((start, start + symbol.size(), name.into()))
            })
            .collect();
        all.sort_by_key(|(start, ..)| *start);
        Some(Self { base, bias, all })
    }
}
