//! Words to the user beside the report.

use std::io::{Write, stderr};

/// Tells something on stderr, past libtest's capture of passing tests.
pub(crate) fn to_stderr(text: &str) {
    to_stderr_as_is(&format!("leakcheck: {text}"));
}

/// The same without the name in front. A stderr that is gone is nobody's problem here.
pub(crate) fn to_stderr_as_is(text: &str) {
    _ = writeln!(stderr(), "{text}");
}
