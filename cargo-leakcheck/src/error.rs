//! Errors that stop the command.

use std::fmt;
use std::path::Path;

use crate::exit::Exit;

/// An error that stops the command, and its exit code.
#[derive(Debug)]
pub(crate) struct Error {
    pub(crate) exit: Exit,
    why: String,
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A file or a setting cannot be used.
    pub(crate) fn unusable(why: impl Into<String>) -> Self {
        Self { exit: Exit::Unusable, why: why.into() }
    }

    pub(crate) fn usage(why: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, why: why.into() }
    }

    pub(crate) fn incomplete(why: impl Into<String>) -> Self {
        Self { exit: Exit::Incomplete, why: why.into() }
    }

    /// A file cannot be read, written or made.
    pub(crate) fn file(what: &str, path: &Path, error: impl fmt::Display) -> Self {
        Self::unusable(format!("`{}` cannot be {what}: {error}", path.display()))
    }

    /// Joins errors into one, one line each, with the exit code of the first.
    ///
    /// # Errors
    ///
    /// If there is at least one.
    pub(crate) fn all(errors: Vec<Self>) -> Result<()> {
        let whys: Vec<String> = errors.iter().map(ToString::to_string).collect();
        match errors.into_iter().next() {
            Some(first) => Err(Self { exit: first.exit, why: whys.join("\nleakcheck: ") }),
            None => Ok(()),
        }
    }

    /// The build failed, and cargo has reported why.
    pub(crate) fn build_failed() -> Self {
        Self { exit: Exit::BuildFailed, why: "the tests could not be built".to_owned() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}
