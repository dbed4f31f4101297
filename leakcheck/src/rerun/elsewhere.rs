//! Stands in for reruns where reference paths cannot be found.

use std::time::Duration;

use crate::report::{CallSite, Holder};

/// No process has a role.
#[derive(Debug)]
pub(crate) enum Role {}

impl Role {
    pub(crate) fn is_about(&self, _check: &str) -> bool {
        match *self {}
    }

    pub(crate) fn send(&self, _call_sites: &[CallSite]) {
        match *self {}
    }
}

pub(crate) fn role() -> Option<&'static Role> {
    None
}

pub(crate) fn rerun(
    _check: &str,
    _test: Option<&str>,
    _took: Duration,
    _call_sites: &[CallSite],
) -> Result<Vec<(usize, Holder)>, String> {
    Err("reference paths are found on Linux with glibc only".to_owned())
}
