//! The history of runs: a directory with a small file for each run.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::date::date;
use crate::error::{Error, Result};
use crate::formats::Past;
use crate::model::Run;
use crate::output;

const SCHEMA: u32 = 1;

/// The maximum number of runs on a page.
const MOST: usize = 200;

#[derive(Serialize, Deserialize)]
struct File {
    schema: u32,
    started: u64,
    #[serde(flatten)]
    past: Past,
}

/// Adds a run to the history.
///
/// # Errors
///
/// If the file cannot be written.
pub(crate) fn keep(directory: &Path, run: &Run) -> Result<()> {
    let commit = run.meta.commit.as_deref().unwrap_or("none");
    let commit = commit.get(..12).unwrap_or(commit);
    // Two runs may start in the same second.
    let name = |number| format!("{:012}-{number:03}-{commit}.json", run.meta.started);
    let is_taken = |number: &u32| {
        let prefix = format!("{:012}-{number:03}-", run.meta.started);
        fs::read_dir(directory).is_ok_and(|mut entries| {
            entries.any(|e| e.is_ok_and(|e| e.file_name().to_string_lossy().starts_with(&prefix)))
        })
    };
    let number = (0..1000).find(|number| !is_taken(number)).unwrap_or(999);
    let path = directory.join(name(number));
    let figures = run.tests.iter().filter_map(|test| {
        let figures = test.figures()?;
        Some((test.id(), (test.growth()?, figures.peak_bytes, figures.churn.bytes)))
    });
    let past = Past {
        date: date(run.meta.started),
        commit: run.meta.commit.clone(),
        subject: run.meta.commit_subject.clone(),
        tests: figures.collect(),
    };
    let file = File { schema: SCHEMA, started: run.meta.started, past };
    let text = serde_json::to_vec(&file).map_err(|error| Error::unusable(error.to_string()))?;
    output::write(&path, &text)
}

/// The runs of the history, the oldest first.
///
/// # Errors
///
/// If the directory or a file in it cannot be read.
pub(crate) fn read(directory: &Path) -> Result<Vec<Past>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::file("read", directory, error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| Error::file("read", directory, error))?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut runs = Vec::new();
    for path in paths.iter().rev().take(MOST).rev() {
        let text = fs::read(path).map_err(|error| Error::file("read", path, error))?;
        let file: File =
            serde_json::from_slice(&text).map_err(|error| Error::file("read", path, error))?;
        if file.schema > SCHEMA {
            let known = format!(
                "it has schema {}, and this cargo-leakcheck knows schemas up to {SCHEMA}",
                file.schema
            );
            return Err(Error::file("read", path, known));
        }
        runs.push((file.started, file.past));
    }
    runs.sort_by_key(|(started, _)| *started);
    Ok(runs.into_iter().map(|(_, past)| past).collect())
}
