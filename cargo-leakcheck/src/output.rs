//! Files that the command writes: beside their place and renamed, so that a reader never sees half a file.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Error, Result};

/// Writes a file, and the directories around it.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<()> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(directory) = directory {
        fs::create_dir_all(directory).map_err(|error| Error::file("made", directory, error))?;
    }
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}-{number}.tmp", std::process::id()));
    let written = fs::write(&beside, content).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // What was begun must not stay; that it may not even have been begun is no second error.
        _ = fs::remove_file(&beside);
    }
    written.map_err(|error| Error::file("written", path, error))
}
