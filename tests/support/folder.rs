//! A temporary directory for the reports of one run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::fixture::target;

/// A fresh directory, which is removed when the value is dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Folder {
    /// Creates an empty directory that no other run writes to.
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = target().join("folders").join(format!("{}-{number}", std::process::id()));
        // An earlier process with the same id may have been killed.
        _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a directory for reports can be made");
        Self(path)
    }

    /// The path of the directory.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Every JSON file in the directory, by relative path. Panics if a file is incomplete.
    #[track_caller]
    pub fn reports(&self) -> BTreeMap<String, Value> {
        let json = |path: &String| path.ends_with(".json");
        let read = |path: String| {
            let text = fs::read(self.0.join(&path)).expect("a report can be read");
            let value = serde_json::from_slice(&text);
            let value = value.unwrap_or_else(|error| panic!("`{path}` is not whole: {error}"));
            (path, value)
        };
        self.files().into_iter().filter(json).map(read).collect()
    }

    /// The relative path of every file in the directory, sorted.
    pub fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.gather(&self.0, &mut found);
        found.sort();
        found
    }

    fn gather(&self, directory: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(directory).expect("the directory can be read") {
            let path = entry.expect("the directory can be read").path();
            if path.is_dir() {
                self.gather(&path, found);
            } else {
                let inside = path.strip_prefix(&self.0).expect("it lies in the directory");
                found.push(inside.to_str().expect("names of files are text").to_owned());
            }
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}
