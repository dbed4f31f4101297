//! Annotations and summaries for the CI system that the command runs on.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use anstream::print;

use crate::error::{Error, Result};
use crate::formats::{self, Context, Format};
use crate::model::Run;

/// On GitHub Actions, annotations at the lines that allocate and a summary of the step.
///
/// # Errors
///
/// If the summary cannot be written.
pub(crate) fn report(run: &Run) -> Result<()> {
    let is = |name: &str| std::env::var(name).is_ok_and(|value| value == "true");
    if !is("GITHUB_ACTIONS") {
        return Ok(());
    }
    print!("{}", formats::github::annotations(run));
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let path = PathBuf::from(path);
    let mut summary = Vec::new();
    formats::render(Format::Markdown, run, &Context::default(), &mut summary)?;
    let file = OpenOptions::new().create(true).append(true).open(&path);
    file.and_then(|mut file| file.write_all(&summary))
        .map_err(|error| Error::file("written", &path, error))
}
