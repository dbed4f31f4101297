//! A function call at an address, as debug information describes it.

use std::path::PathBuf;

/// A function that was being called at an address, and its source line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) function: Option<String>,
    pub(crate) file: Option<PathBuf>,
    pub(crate) line: Option<u32>,
}

impl Call {
    /// Whether the function is named with its crate.
    pub(crate) fn has_path(&self) -> bool {
        self.function.as_ref().is_some_and(|function| function.contains("::"))
    }
}
