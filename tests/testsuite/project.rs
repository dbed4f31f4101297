//! The files of the project, for the tests that read them.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of the project.
pub(crate) struct File {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
}

impl File {
    pub(crate) fn is_rust(&self) -> bool {
        self.has_extension("rs")
    }

    pub(crate) fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }

    pub(crate) fn text(&self) -> String {
        read(&self.path)
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are in the project").to_owned()
}

#[track_caller]
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files except build output and hidden files.
pub(crate) fn files() -> Vec<File> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in
            fs::read_dir(root().join(&folder)).expect("a folder of the project can be read")
        {
            let entry = entry.expect("a folder of the project can be read");
            let name = entry.file_name();
            let path = folder.join(&name);
            let hidden = name.to_string_lossy().starts_with('.');
            if hidden || entry.path().join("CACHEDIR.TAG").exists() || name == "target" {
                continue;
            }
            if entry.path().is_dir() {
                folders.push(path);
            } else {
                found.push(File { path: path.to_string_lossy().replace('\\', "/") });
            }
        }
    }
    assert!(found.len() > 50, "the project has files");
    found
}

/// The folders of published crates.
pub(crate) fn published() -> Vec<String> {
    let files = files();
    let folders = files.iter().filter_map(|file| file.path.strip_suffix("/Cargo.toml"));
    let may_have_crates =
        |folder: &&str| !folder.strip_prefix("crates/").unwrap_or(folder).contains('/');
    let is_published = |folder: &String| {
        let manifest = read(&format!("{folder}/Cargo.toml"));
        manifest.contains("[package]") && !manifest.contains("publish = false")
    };
    folders.filter(may_have_crates).map(str::to_owned).filter(is_published).collect()
}
