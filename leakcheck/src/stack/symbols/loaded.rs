//! Names by the debug information and the symbol tables of what is loaded, on Linux with glibc.
//!
//! Which file an address lies in is what the kernel says at every look-up ([`maps`]), so that a library counts
//! as soon as it is loaded. Nothing of a file is kept when its addresses have names: a look-up takes all
//! addresses of a report at once.

mod elf;
#[allow(unsafe_code, reason = "maps files into memory, and keeps them there")]
mod file;
mod maps;
mod object;
#[cfg(test)]
#[allow(unsafe_code, reason = "loads libraries that it builds, and calls them")]
mod tests;

use std::collections::HashMap;
use std::path::Path;

use super::Call;
use maps::Maps;

/// The calls at each return address, the innermost first.
pub(super) fn calls(addresses: &[usize]) -> Vec<Vec<Call>> {
    let maps = Maps::of_process();
    // By file: where in it, and the index of the address.
    let mut places: HashMap<&Path, Vec<(u64, usize)>> = HashMap::new();
    for (index, address) in addresses.iter().enumerate() {
        // A return address may be the first one behind its function.
        if let Some((path, offset)) = maps.find((*address as u64).saturating_sub(1)) {
            places.entry(path).or_default().push((offset, index));
        }
    }
    let mut calls = vec![Vec::new(); addresses.len()];
    for (path, places) in places {
        let offsets: Vec<u64> = places.iter().map(|(offset, _)| *offset).collect();
        for ((_, index), found) in places.iter().zip(object::calls(path, &offsets)) {
            calls[*index] = found;
        }
    }
    calls
}
