//! Messages to the user besides the report.

use std::io::{Write, stderr};

/// Prints a message to stderr, past libtest's capture of passing tests.
pub(crate) fn to_stderr(text: &str) {
    to_stderr_as_is(&format!("leakcheck: {text}"));
}

/// The same without the name in front. A closed stderr is not an error here.
pub(crate) fn to_stderr_as_is(text: &str) {
    _ = writeln!(stderr(), "{text}");
}
