//! Writes files under a temporary name and renames them, so that a reader never sees half a file.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Error, Result};

/// Writes a file and creates its parent directories.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<()> {
    write_with(path, |out| {
        out.write_all(content).map_err(|error| Error::file("written", path, error))
    })
}

/// The same for content that is written in parts.
pub(crate) fn write_with(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(directory) = directory {
        fs::create_dir_all(directory).map_err(|error| Error::file("made", directory, error))?;
    }
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}-{number}.tmp", std::process::id()));
    let cannot = |error| Error::file("written", path, error);
    let written = File::create(&beside).map_err(cannot).and_then(|file| {
        let mut out = BufWriter::with_capacity(1 << 16, file);
        content(&mut out)?;
        out.flush().map_err(cannot)?;
        fs::rename(&beside, path).map_err(cannot)
    });
    if written.is_err() {
        // Removes a partial file. It may not exist, so a failure is not an error.
        _ = fs::remove_file(&beside);
    }
    written
}

/// A path relative to the working directory, if it is inside.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let inside = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    inside.unwrap_or(path).display().to_string()
}
