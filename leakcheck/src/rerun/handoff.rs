//! What a rerun writes for the process that started it to read.

use std::fs;
use std::io::{Error, ErrorKind};
use std::path::Path;

use leakcheck_report::json;

use crate::report::{Frame, Holder};

/// Writes what was found. A file is whole when its last character is there.
pub(super) fn write(path: &Path, found: &[(Vec<Frame>, Holder)]) -> std::io::Result<()> {
    let text = json::compact(&found).map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
    fs::write(path, text)
}

/// Reads what a rerun found; `None` where it wrote nothing, or not all.
pub(super) fn read(path: &Path) -> Option<Vec<(Vec<Frame>, Holder)>> {
    json::parse(&fs::read_to_string(path).ok()?).ok()
}

/// Whether two stacks read the same.
pub(super) fn read_the_same(one: &[Frame], other: &[Frame]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.reads_like(other))
}
