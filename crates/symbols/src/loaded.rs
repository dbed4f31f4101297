//! Names by the debug information and the symbol tables of what is loaded, on Linux with glibc.
//!
//! Which file an address lies in is what the kernel says at every look-up ([`maps`]), so that a
//! library counts as soon as it is loaded. To open a file takes longer than to find some names in
//! it. Most processes look up once, all addresses of a report together, and nothing of a file is
//! kept after that; where they come again, it is.

mod elf;
#[allow(unsafe_code, reason = "maps files into memory")]
mod file;
mod maps;
#[allow(unsafe_code, reason = "keeps what borrows beside its owner")]
mod object;
#[cfg(test)]
#[allow(unsafe_code, reason = "loads libraries that it builds, and calls them")]
mod tests;
pub mod variables;

pub use object::types;

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::call::Call;
use maps::Maps;
use object::Object;

/// The files that were looked into.
#[derive(Default)]
pub(crate) struct Loaded(HashMap<PathBuf, File>);

struct File {
    stamp: Stamp,
    /// None after the first look-up.
    kept: Option<Object>,
}

/// What changes when a file is written anew: its number, its size and when it was changed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp([i64; 5]);

impl Loaded {
    /// The calls at each return address, the innermost first.
    pub(crate) fn calls(&mut self, addresses: &[usize]) -> Vec<Vec<Call>> {
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
            let found = self.calls_in(path, &offsets).unwrap_or_default();
            for ((_, index), found) in places.iter().zip(found) {
                calls[*index] = found;
            }
        }
        calls
    }

    /// Closes all files.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }

    fn calls_in(&mut self, path: &Path, offsets: &[u64]) -> Option<Vec<Vec<Call>>> {
        let stamp = Stamp::of(path)?;
        if let Some(file) = self.0.get_mut(path).filter(|file| file.stamp == stamp) {
            let object = file.kept.take().or_else(|| Object::open(path))?;
            return Some(file.kept.insert(object).calls(offsets));
        }
        self.0.insert(path.to_owned(), File { stamp, kept: None });
        Some(Object::open(path)?.calls(offsets))
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let file = path.metadata().ok()?;
        let (device, number) = (file.dev().cast_signed(), file.ino().cast_signed());
        Some(Self([device, number, file.size().cast_signed(), file.mtime(), file.mtime_nsec()]))
    }
}
