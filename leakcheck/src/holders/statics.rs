//! The names of statics and thread-locals, from the symbol tables of the program and its libraries.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::stack::symbols::types::find;

/// A variable in an ELF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) start: u64,
    pub(super) size: u64,
    /// As the linker knows it.
    pub(super) symbol: String,
}

/// The variables of a file, in the order of their addresses.
#[derive(Debug, Default)]
pub(super) struct Variables {
    /// Addresses are the file's own.
    statics: Vec<Variable>,
    /// Addresses are counted from the beginning of the thread-locals.
    locals: Vec<Variable>,
}

const SYMBOL: usize = 24;
const OBJECT: u8 = 1;
const FUNCTION: u8 = 2;
const LOCAL: u8 = 0;
const THREAD_LOCAL: u8 = 6;
const SYMBOLS: u32 = 2;
const DYNAMIC_SYMBOLS: u32 = 11;

impl Variables {
    /// None where the file cannot be read, or has no symbols.
    pub(super) fn of_file(path: &Path) -> Self {
        read(path).unwrap_or_default()
    }

    pub(super) fn static_at(&self, address: u64) -> Option<&Variable> {
        at(&self.statics, address)
    }

    pub(super) fn local_at(&self, offset: u64) -> Option<&Variable> {
        at(&self.locals, offset)
    }
}

fn at(variables: &[Variable], address: u64) -> Option<&Variable> {
    let index = variables.partition_point(|variable| variable.start <= address).checked_sub(1)?;
    let variable = &variables[index];
    (address - variable.start < variable.size).then_some(variable)
}

/// A file's table of symbols, and their names.
fn symbols(path: &Path) -> Option<(Vec<u8>, Vec<u8>)> {
    let file = File::open(path).ok()?;
    let header = bytes(&file, 0, 64)?;
    // 64 bits, in the order of this machine.
    let order = if cfg!(target_endian = "little") { 1 } else { 2 };
    if !header.starts_with(b"\x7fELF") || header[4..6] != [2, order] {
        return None;
    }
    let (table, size, count) = (u64_at(&header, 40)?, u16_at(&header, 58)?, u16_at(&header, 60)?);
    let sections = bytes(&file, table, usize::from(size) * usize::from(count))?;
    let sections: Vec<&[u8]> = sections.chunks_exact(size.into()).collect();
    let of_kind = |kind| sections.iter().find(|section| u32_at(section, 4) == Some(kind));
    let symbols = of_kind(SYMBOLS).or_else(|| of_kind(DYNAMIC_SYMBOLS))?;
    let names = sections.get(u32_at(symbols, 40)? as usize)?;
    let content = |section: &[u8]| {
        bytes(&file, u64_at(section, 24)?, usize::try_from(u64_at(section, 32)?).ok()?)
    };
    Some((content(symbols)?, content(names)?))
}

fn read(path: &Path) -> Option<Variables> {
    let (symbols, names) = symbols(path)?;
    let mut variables = Variables::default();
    for symbol in symbols.chunks_exact(SYMBOL) {
        let kind = symbol[4] & 0xf;
        let (start, size) = (u64_at(symbol, 8)?, u64_at(symbol, 16)?);
        let is_defined = u16_at(symbol, 6)? != 0;
        if size == 0 || !is_defined || !(kind == OBJECT || kind == THREAD_LOCAL) {
            continue;
        }
        let name = names.get(u32_at(symbol, 0)? as usize..)?;
        let name = name.split(|byte| *byte == 0).next()?;
        let symbol = String::from_utf8_lossy(name).into_owned();
        let list = if kind == OBJECT { &mut variables.statics } else { &mut variables.locals };
        list.push(Variable { start, size, symbol });
    }
    variables.statics.sort_by_key(|variable| variable.start);
    variables.locals.sort_by_key(|variable| variable.start);
    Some(variables)
}

fn bytes(file: &File, from: u64, count: usize) -> Option<Vec<u8>> {
    // What is said of a file's size may be wrong; none is larger than memory.
    if count > 1 << 31 {
        return None;
    }
    let mut bytes = vec![0; count];
    file.read_exact_at(&mut bytes, from).ok()?;
    Some(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// Whether a program defines a function with this in its name. `None` where it was stripped.
pub(super) fn has_function(path: &Path, part: &[u8]) -> Option<bool> {
    let (symbols, names) = symbols(path)?;
    let mut stripped = true;
    for symbol in symbols.chunks_exact(SYMBOL).filter(|symbol| symbol[4] & 0xf == FUNCTION) {
        let is_local = symbol[4] >> 4 == LOCAL;
        // Of a stripped file there are only those that other files see.
        stripped &= !is_local;
        let name = names.get(u32_at(symbol, 0)? as usize..)?;
        let name = name.split(|byte| *byte == 0).next()?;
        if find(name, part).is_some() {
            return Some(true);
        }
    }
    (!stripped).then_some(false)
}

/// Whether a file has some bytes anywhere.
pub(super) fn has_bytes(path: &Path, some: &[u8]) -> bool {
    std::fs::read(path).is_ok_and(|all| find(&all, some).is_some())
}

/// A variable's path as its author would write it.
pub(super) fn readable(symbol: &str) -> String {
    let name = format!("{:#}", rustc_demangle::demangle(symbol));
    // `lazy_static!` keeps its value in a static inside of a method.
    if let Some((of, _)) = name.split_once(" as core::ops::deref::Deref>::deref::") {
        return of.trim_start_matches('<').to_owned();
    }
    // `thread_local!` keeps its value inside of a constant of that name, and an attribute may put a
    // function's body into a closure.
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
        let modules = super::super::modules::all();
        let address = std::hint::black_box(&MARKED) as *const _ as usize - modules[0].bias + 8;
        let variables = Variables::of_file(&program);
        let name = readable(&variables.static_at(address as u64).unwrap().symbol);
        assert_eq!(name, "leakcheck::holders::statics::tests::MARKED");
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
