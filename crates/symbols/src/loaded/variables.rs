//! Statics, thread-locals and functions in the symbol tables of the program and its libraries.

use std::path::Path;

use leakcheck_report::order;
use leakcheck_system::spare_fd;

use super::elf::{Elf, SymbolKind};
use super::file::Files;
use super::object::types::find_bytes;

/// A variable in an ELF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub start: u64,
    pub size: u64,
    /// The mangled name.
    pub symbol: String,
}

/// The variables of a file, sorted by address.
#[derive(Debug, Default)]
pub struct Variables {
    /// By address in the file.
    statics: Vec<Variable>,
    /// By offset from the start of the thread-locals.
    locals: Vec<Variable>,
}

impl Variables {
    /// Reads the variables of a file. There are none if it cannot be read or has no symbols.
    pub fn of_file(path: &Path) -> Self {
        spare_fd::with_one_free(|| read(path)).unwrap_or_default()
    }

    pub fn static_at(&self, address: u64) -> Option<&Variable> {
        at(&self.statics, address)
    }

    pub fn local_at(&self, offset: u64) -> Option<&Variable> {
        at(&self.locals, offset)
    }
}

fn at(variables: &[Variable], address: u64) -> Option<&Variable> {
    let index = variables.partition_point(|variable| variable.start <= address).checked_sub(1)?;
    let variable = &variables[index];
    (address - variable.start < variable.size).then_some(variable)
}

fn read(path: &Path) -> Option<Variables> {
    let files = Files::default();
    let elf = Elf::parse(files.map(path)?)?;
    let mut variables = Variables::default();
    for symbol in elf.symbols().filter(|symbol| symbol.end > symbol.start) {
        let list = match symbol.kind {
            SymbolKind::Static => &mut variables.statics,
            SymbolKind::ThreadLocal => &mut variables.locals,
            SymbolKind::Function => continue,
        };
        list.push(Variable {
            start: symbol.start,
            size: symbol.end - symbol.start,
            symbol: String::from_utf8_lossy(symbol.name).into_owned(),
        });
    }
    for list in [&mut variables.statics, &mut variables.locals] {
        order::sort_by_key(list, |variable| variable.start);
    }
    Some(variables)
}

/// Whether a program defines a function whose mangled name contains `part`, or `None` if it is
/// stripped.
pub fn has_function(path: &Path, part: &[u8]) -> Option<bool> {
    let files = Files::default();
    let elf = Elf::parse(files.map(path)?)?;
    if elf.functions().any(|function| find_bytes(function.name, part).is_some()) {
        return Some(true);
    }
    elf.has_all_symbols().then_some(false)
}

/// Whether a file contains these bytes.
pub fn has_bytes(path: &Path, some: &[u8]) -> bool {
    let files = Files::default();
    files.map(path).is_some_and(|all| find_bytes(all, some).is_some())
}

/// The path of a variable as its author would write it.
pub fn readable(symbol: &str) -> String {
    let name = format!("{:#}", rustc_demangle::demangle(symbol));
    // `lazy_static!` declares a static inside a method.
    if let Some((of, _)) = name.split_once(" as core::ops::deref::Deref>::deref::") {
        return of.trim_start_matches('<').to_owned();
    }
    // `thread_local!` declares a static inside a constant, and an attribute may move a function's
    // body into a closure.
    let mut parts: Vec<&str> = name.split("::").collect();
    parts.retain(|part| !(part.starts_with('{') && part.ends_with('}')));
    while parts.len() > 1 && parts.last().is_some_and(|part| is_made_by_macros(part)) {
        parts.pop();
    }
    parts.join("::")
}

fn is_made_by_macros(part: &str) -> bool {
    matches!(part, "VAL" | "__RUST_STD_INTERNAL_VAL" | "STORAGE" | "EAGER_VAL")
}

#[cfg(test)]
mod tests {
    use super::*;

    static MARKED: [u64; 3] = [1, 2, 3];

    #[test]
    fn a_static_of_this_program_has_its_path() {
        let program = std::env::current_exe().unwrap();
        let address = std::hint::black_box(&MARKED) as *const _ as usize + 8;
        let address = address - crate::module::at(address).unwrap().base;
        let variables = Variables::of_file(&program);
        assert!(variables.local_at(0).is_none_or(|local| !local.symbol.contains("MARKED")));
        let name = readable(&variables.static_at(address as u64).unwrap().symbol);
        assert_eq!(name, "leakcheck_symbols::loaded::variables::tests::MARKED");
    }

    #[test]
    fn macros_leave_no_trace() {
        let lazy = "_ZN54_$LT$app..REGEX$u20$as$u20$core..ops..deref..Deref$GT$5deref11__stability4LAZY17h0123456789abcdefE";
        assert_eq!(readable(lazy), "app::REGEX");
        let local = "_ZN3app5CACHE29_$u7b$$u7b$constant$u7d$$u7d$28_$u7b$$u7b$closure$u7d$$u7d$3VAL17h0123456789abcdefE";
        assert_eq!(readable(local), "app::CACHE");
        let closure = "_ZN3app6unread28_$u7b$$u7b$closure$u7d$$u7d$4KEEP17h0123456789abcdefE";
        assert_eq!(readable(closure), "app::unread::KEEP");
    }
}
