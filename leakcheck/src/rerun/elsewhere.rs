//! Stands in for reruns where reference paths cannot be found.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::report::{CallSite, Holder};

pub(crate) fn handoff() -> Option<PathBuf> {
    None
}

pub(crate) fn is_about(_check: &str) -> bool {
    false
}

pub(crate) fn rerun(
    _check: &str,
    _test: Option<&str>,
    _took: Duration,
    _call_sites: &[CallSite],
) -> Result<Vec<(usize, Holder)>, String> {
    Err("reference paths are found on Linux with glibc only".to_owned())
}

pub(crate) fn send(_path: &Path, _call_sites: &[CallSite]) {}
