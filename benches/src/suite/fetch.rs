//! Downloads the sources of published crates.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Crate;
use crate::Result;
use crate::cargo::{cargo, output, work};

/// The directories in which cargo keeps the sources of the crates.
pub(super) fn fetch(crates: &[Crate]) -> Result<Vec<PathBuf>> {
    let folder = work().join("suite/fetch");
    let line = |published: &Crate| format!("{} = \"={}\"\n", published.name, published.version);
    let lines: String = crates.iter().map(line).collect();
    let manifest = format!(
        "[package]\nname = \"fetch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\n{lines}\n[workspace]\n"
    );
    fs::create_dir_all(folder.join("src"))
        .and_then(|()| fs::write(folder.join("Cargo.toml"), manifest))
        .and_then(|()| fs::write(folder.join("src/lib.rs"), ""))
        .map_err(|error| format!("`{}`: {error}", folder.display()))?;
    let text = output(cargo().args(["metadata", "--format-version=1"]).current_dir(&folder))?;
    let metadata: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let source = |published: &Crate| {
        let found = packages.iter().find(|package| {
            package["name"] == published.name && package["version"] == published.version
        });
        let manifest = found.and_then(|package| package["manifest_path"].as_str());
        let folder = manifest.and_then(|manifest| Path::new(manifest).parent());
        folder.map(Path::to_owned).ok_or_else(|| format!("`{}` was not fetched", published.name))
    };
    crates.iter().map(source).collect()
}
