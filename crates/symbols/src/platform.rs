//! Names from the `backtrace` crate, on targets whose files leakcheck does not read itself.
//!
//! The crate does not notice code that is loaded after its first look-up.

mod symtab;

use std::path::Path;
use std::ptr::without_provenance_mut;

use crate::call::Call;

/// Empty, because the crate keeps its own list of what is loaded.
#[derive(Default)]
pub(crate) struct Loaded;

impl Loaded {
    /// The calls at each return address, innermost first.
    pub(crate) fn calls(&mut self, addresses: &[usize]) -> Vec<Vec<Call>> {
        addresses.iter().map(|address| calls_at(*address)).collect()
    }

    /// The crate does not say what it cannot read.
    pub(crate) fn unread(&self) -> Option<&str> {
        None
    }

    /// Closes all files.
    pub(crate) fn forget(&mut self) {
        backtrace::clear_symbol_cache();
    }
}

fn calls_at(address: usize) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    backtrace::resolve(without_provenance_mut(address), |symbol| {
        calls.push(Call {
            function: symbol.name().map(|name| format!("{name:#}")),
            file: symbol.filename().map(Path::to_owned),
            line: symbol.lineno(),
        });
    });
    // Line tables do not contain the paths of functions. The symbol table has the path of the
    // outermost one, into which the others were inlined.
    if let Some(last) = calls.last_mut()
        && last.function.is_some()
        && !last.has_path()
        && let Some(symbol) = symtab::function_at(address)
    {
        last.function = Some(symbol);
    }
    calls
}
