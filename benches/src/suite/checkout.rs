//! A copy of a published crate, and its test programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::Crate;
use super::annotate::annotate;
use crate::Result;
use crate::cargo::{cargo, clean, output, root, work};
use crate::profile::Profile;

/// A copy of a crate and its test programs.
#[derive(Debug)]
pub(super) struct Checkout {
    pub(super) folder: PathBuf,
    pub(super) programs: Vec<PathBuf>,
}

impl Checkout {
    pub(super) fn build(
        source: &Path,
        folder: PathBuf,
        published: &Crate,
        profile: Profile,
        annotated: bool,
    ) -> Result<Self> {
        copy(source, &folder, annotated)
            .and_then(|()| complete_manifest(&folder, annotated))
            .map_err(|error| format!("`{}`: {error}", folder.display()))?;
        let mut cargo = cargo();
        cargo.args(["test", "--no-run", "--lib", "--tests", "--message-format=json"]);
        cargo.args(["--features", published.features]);
        cargo.args(profile.arguments());
        // Enough for line numbers, and faster to build.
        cargo.env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
        let target = work().join("suite").join(format!("target-{}", profile.name()));
        cargo.arg("--target-dir").arg(target).current_dir(&folder);
        Ok(Self { programs: programs(&output(&mut cargo)?), folder })
    }

    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        clean(&mut command);
        command.arg("-q").current_dir(&self.folder);
        command
    }
}

/// Copies the sources, with annotated tests if asked for. Files that did not change are not written, so that cargo
/// does not rebuild them.
fn copy(source: &Path, folder: &Path, annotated: bool) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(source)? {
        let entry = entry?;
        let (from, to) = (entry.path(), folder.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to, annotated)?;
        } else if from.extension().is_some_and(|extension| extension == "rs") && annotated {
            write(&to, annotate(&fs::read_to_string(&from)?).as_bytes())?;
        } else if entry.file_name() != "Cargo.lock" {
            write(&to, &fs::read(&from)?)?;
        }
    }
    Ok(())
}

fn complete_manifest(folder: &Path, annotated: bool) -> std::io::Result<()> {
    let file = folder.join("Cargo.toml");
    let mut manifest = fs::read_to_string(&file)?;
    manifest.push_str("\n[workspace]\n");
    if annotated {
        let leakcheck = root().join("leakcheck");
        manifest.push_str(&format!("\n[dev-dependencies.leakcheck]\npath = {leakcheck:?}\n"));
    }
    fs::write(file, manifest)
}

fn write(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    match fs::read(file) {
        Ok(existing) if existing == bytes => Ok(()),
        _ => fs::write(file, bytes),
    }
}

/// The test programs in cargo's messages.
fn programs(messages: &str) -> Vec<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages
        .filter(|message| message["profile"]["test"] == true)
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .collect()
}
