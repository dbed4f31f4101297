//! The formats of reports: each a function from a run to bytes, without any input or output of its own.

pub(crate) mod json;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::model::Run;

/// A format of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Format {
    Json,
}

impl Format {
    const ALL: [(Self, &'static str, &'static [&'static str]); 1] =
        [(Self::Json, "json", &[".json"])];

    pub(crate) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(format, ..)| *format == self).map_or("", |(_, word, _)| word)
    }
}

/// A report to be written: `html=report.html`, or a file whose name tells its format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) format: Format,
    pub(crate) path: PathBuf,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if let Some((word, path)) = text.split_once('=')
            && let Some((format, ..)) = Format::ALL.iter().find(|(_, known, _)| *known == word)
        {
            return if path.is_empty() {
                Err(format!("`{word}=` names no file"))
            } else {
                Ok(Self { format: *format, path: path.into() })
            };
        }
        let known =
            Format::ALL.iter().find(|(_, _, ends)| ends.iter().any(|end| text.ends_with(end)));
        match known {
            Some((format, ..)) => Ok(Self { format: *format, path: text.into() }),
            None => {
                let words: Vec<&str> = Format::ALL.iter().map(|(_, word, _)| *word).collect();
                Err(format!(
                    "its name tells no format; write `FORMAT=FILE` with one of {}",
                    words.join(", ")
                ))
            }
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.format.word(), self.path.display())
    }
}

impl Target {
    /// With its path from a directory on.
    pub(crate) fn below(self, directory: &Path) -> Self {
        Self { path: directory.join(self.path), ..self }
    }
}

/// What formats may need to know besides the run.
#[derive(Debug, Default)]
pub(crate) struct Context {}

/// A run in a format.
pub(crate) fn render(format: Format, run: &Run, _context: &Context) -> Result<Vec<u8>> {
    let rendered = match format {
        Format::Json => json::render(run),
    };
    rendered.map_err(|why| Error::unusable(format!("the report cannot be made: {why}")))
}
