//! The file in which a rerun passes its holders to the process that started it.

use std::fs;
use std::io::{Error, ErrorKind};
use std::path::Path;

use leakcheck_report::json;

use crate::report::{Class, Frame, Holder};

/// Writes holders with the keys of their call stacks. An incomplete file does not parse, so it needs
/// no further mark of its end.
pub(super) fn write(path: &Path, found: &[(String, Holder)]) -> std::io::Result<()> {
    let text = json::compact(&found).map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
    fs::write(path, text)
}

/// Reads what [`write`] has written, or returns `None` where the file is missing or incomplete.
pub(super) fn read(path: &Path) -> Option<Vec<(String, Holder)>> {
    json::parse(&fs::read_to_string(path).ok()?).ok()
}

/// The text of a call stack, which is the same in both processes. Whose code a frame is may differ.
///
/// A process only compares the call stacks of the other, so it needs no code that reads them.
pub(super) fn key(frames: &[Frame]) -> String {
    let mut frames = frames.to_vec();
    for frame in &mut frames {
        frame.class = Class::default();
    }
    json::compact(&frames).unwrap_or_default()
}
