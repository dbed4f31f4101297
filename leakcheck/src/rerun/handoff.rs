//! The file in which a rerun passes its holders to the process that started it.

use std::fs;
use std::io::{Error, ErrorKind};
use std::path::Path;

use leakcheck_report::json;

use crate::report::{Frame, Holder};

/// Writes the holders. An incomplete file does not parse, so it needs no further mark of its end.
pub(super) fn write(path: &Path, found: &[(Vec<Frame>, Holder)]) -> std::io::Result<()> {
    let text = json::compact(&found).map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
    fs::write(path, text)
}

/// Reads the holders, or returns `None` where the file is missing or incomplete.
pub(super) fn read(path: &Path) -> Option<Vec<(Vec<Frame>, Holder)>> {
    json::parse(&fs::read_to_string(path).ok()?).ok()
}

/// Whether two call stacks have the same text in a report.
pub(super) fn reads_alike(one: &[Frame], other: &[Frame]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.reads_like(other))
}
