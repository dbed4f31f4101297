//! The outcome of rendering a report.

/// Success, or why the report was not written.
pub(super) type Rendered = Result<(), Box<dyn std::error::Error>>;
