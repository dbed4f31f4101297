//! The symbol table of the running program. It contains the whole path of a function where the
//! debug information only has the last part.

use std::sync::OnceLock;

use object::{Object, ObjectKind, ObjectSymbol, SymbolKind};

use crate::module;

/// The functions of the running program, sorted by address.
struct Functions {
    /// The address at which the program is loaded.
    base: usize,
    /// The difference between an address in memory and in the file.
    bias: u64,
    /// The start, the end and the mangled name of each function.
    all: Vec<(u64, u64, Box<str>)>,
}

/// The function of the running program that contains an address.
pub(super) fn function_at(address: usize) -> Option<String> {
    static FUNCTIONS: OnceLock<Option<Functions>> = OnceLock::new();
    let functions = FUNCTIONS.get_or_init(Functions::of_program).as_ref()?;
    // The table covers the program only.
    if module::at(address)?.base != functions.base {
        return None;
    }
    // A return address may be that of the next function.
    let file_address = (address as u64).checked_sub(functions.bias)?.checked_sub(1)?;
    let index =
        functions.all.partition_point(|(start, ..)| *start <= file_address).checked_sub(1)?;
    let (_, end, name) = &functions.all[index];
    (file_address < *end).then(|| format!("{:#}", rustc_demangle::demangle(name)))
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
