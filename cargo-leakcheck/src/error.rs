//! Why the command cannot go on.

use std::fmt;
use std::path::Path;

use crate::exit::Exit;

/// What keeps the command from going on, and the code that it ends with.
#[derive(Debug)]
pub(crate) struct Error {
    pub(crate) exit: Exit,
    why: String,
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A file or a setting is of no use.
    pub(crate) fn unusable(why: impl Into<String>) -> Self {
        Self { exit: Exit::Unusable, why: why.into() }
    }

    pub(crate) fn usage(why: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, why: why.into() }
    }

    pub(crate) fn incomplete(why: impl Into<String>) -> Self {
        Self { exit: Exit::Incomplete, why: why.into() }
    }

    /// Something cannot be done with a file.
    pub(crate) fn file(what: &str, path: &Path, error: impl fmt::Display) -> Self {
        Self::unusable(format!("`{}` cannot be {what}: {error}", path.display()))
    }

    /// Several as one, a line each; it ends as the first would.
    ///
    /// # Errors
    ///
    /// When there is any.
    pub(crate) fn all(errors: Vec<Self>) -> Result<()> {
        let whys: Vec<String> = errors.iter().map(ToString::to_string).collect();
        match errors.into_iter().next() {
            Some(first) => Err(Self { exit: first.exit, why: whys.join("\nleakcheck: ") }),
            None => Ok(()),
        }
    }

    /// cargo has told already why.
    pub(crate) fn build_failed() -> Self {
        Self { exit: Exit::BuildFailed, why: "the tests could not be built".to_owned() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}
