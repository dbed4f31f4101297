//! Names from the debug information and the symbol tables of loaded files, on Linux with glibc.
//!
//! Each look-up asks the kernel which file contains an address ([`maps`]), so libraries are known
//! as soon as they are loaded. Opening a file takes longer than finding some names in it. Most
//! processes look up once, for all addresses of a report, so the first look-up in a file keeps
//! nothing of it. The second keeps it open.

mod elf;
#[allow(unsafe_code, reason = "maps files into memory")]
mod file;
mod maps;
#[allow(unsafe_code, reason = "borrows from files that it owns")]
mod object;
#[cfg(test)]
#[allow(unsafe_code, reason = "loads and calls libraries")]
mod tests;
pub mod variables;

pub use object::types;

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::call::Call;
use maps::FileMappings;
use object::Object;

/// The files in which names were looked up.
#[derive(Default)]
pub(crate) struct Loaded {
    files: HashMap<PathBuf, File>,
    /// A file that could not be read, and why.
    unread: Option<String>,
}

struct File {
    stamp: Stamp,
    /// `None` after the first look-up.
    object: Option<Object>,
}

/// The device, inode, size and time of change of a file, which differ once it is rewritten.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp([i64; 5]);

impl Loaded {
    /// The calls at each return address, innermost first.
    pub(crate) fn calls(&mut self, addresses: &[usize]) -> Vec<Vec<Call>> {
        let maps = FileMappings::of_process().unwrap_or_else(|error| {
            self.unread = Some(unreadable(Path::new(maps::MAPS), &error));
            FileMappings::default()
        });
        // For each file, offsets in it and the indices of their addresses.
        let mut by_file: HashMap<&Path, Vec<(u64, usize)>> = HashMap::new();
        for (index, address) in addresses.iter().enumerate() {
            // A return address may be that of the next function.
            if let Some((path, offset)) = maps.find((*address as u64).saturating_sub(1)) {
                by_file.entry(path).or_default().push((offset, index));
            }
        }
        let mut calls = vec![Vec::new(); addresses.len()];
        for (path, lookups) in by_file {
            let offsets: Vec<u64> = lookups.iter().map(|(offset, _)| *offset).collect();
            let found = self.calls_in(path, &offsets).unwrap_or_else(|| {
                let error = std::fs::File::open(path).err();
                self.unread = error.map(|error| unreadable(path, &error)).or(self.unread.take());
                Vec::new()
            });
            for ((_, index), found) in lookups.iter().zip(found) {
                calls[*index] = found;
            }
        }
        calls
    }

    /// A file that could not be read, and why.
    pub(crate) fn unread(&self) -> Option<&str> {
        self.unread.as_deref()
    }

    /// Closes all files.
    pub(crate) fn forget(&mut self) {
        self.files.clear();
    }

    fn calls_in(&mut self, path: &Path, offsets: &[u64]) -> Option<Vec<Vec<Call>>> {
        let stamp = Stamp::of(path)?;
        if let Some(file) = self.files.get_mut(path).filter(|file| file.stamp == stamp) {
            let object = file.object.take().or_else(|| Object::open(path))?;
            return Some(file.object.insert(object).calls(offsets));
        }
        self.files.insert(path.to_owned(), File { stamp, object: None });
        Some(Object::open(path)?.calls(offsets))
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!("`{}` cannot be read ({error})", path.display())
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let file = path.metadata().ok()?;
        let (device, number) = (file.dev().cast_signed(), file.ino().cast_signed());
        Some(Self([device, number, file.size().cast_signed(), file.mtime(), file.mtime_nsec()]))
    }
}
