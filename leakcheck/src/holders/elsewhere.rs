//! Where holders cannot be told.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::ledger::account::RegionId;
use crate::report::{CallSite, Holder};
use crate::stack::site::SiteId;

pub(crate) const CAN_TELL: bool = false;

#[cfg_attr(not(interposed), allow(dead_code, reason = "asked where whole programs are checked"))]
pub(crate) fn are_known() -> bool {
    false
}

pub(crate) fn clear_dead() {}

/// Of the stack, nothing.
#[derive(Debug, Default)]
pub(crate) struct Before {}

impl Before {
    pub(crate) fn now() -> Self {
        Self {}
    }
}

pub(crate) fn letterbox() -> Option<PathBuf> {
    None
}

pub(crate) fn is_about(_check: &str) -> bool {
    false
}

pub(crate) fn run_again(
    _check: &str,
    _test: Option<&str>,
    _took: Duration,
    _call_sites: &[CallSite],
) -> Result<Vec<(usize, Holder)>, String> {
    Err(NOWHERE.to_owned())
}

pub(crate) fn send(_letterbox: &Path, _call_sites: &[CallSite]) {}

const NOWHERE: &str = "that is told on Linux with glibc alone";

pub(crate) fn explain(
    _owners: &[RegionId],
    _before: &Before,
    _sites: &[SiteId],
) -> Result<Vec<(SiteId, Holder)>, String> {
    Err(NOWHERE.to_owned())
}
