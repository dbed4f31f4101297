//! Throw-away projects.
