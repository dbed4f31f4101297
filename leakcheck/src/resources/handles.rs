//! What a region has left behind of a resource.

use std::borrow::Cow;

use leakcheck_ledger::SiteId;

/// File descriptors or child processes that a region has left behind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handles {
    pub(crate) count: Count,
    /// Descriptor numbers or process ids.
    pub(super) numbers: Vec<i32>,
}

/// How much of a resource a region has left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    Known(i64),
    /// The region may have left more than is attributed to it.
    NotJudged {
        at_least: i64,
        why: Cow<'static, str>,
    },
}

/// A descriptor that a region left open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fd {
    pub(crate) number: i32,
    /// The file, socket or other object that it refers to.
    pub(crate) target: String,
    /// 0 where the call site is unknown.
    pub(crate) opened_at: SiteId,
}

/// A child process that has not been waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Child {
    pub(crate) pid: i32,
    pub(crate) command: String,
    pub(crate) exited: bool,
    /// 0 where the call site is unknown.
    pub(crate) started_at: SiteId,
}

impl Default for Count {
    fn default() -> Self {
        Self::Known(0)
    }
}

impl Count {
    pub(super) fn unknown(why: impl Into<Cow<'static, str>>) -> Self {
        Self::NotJudged { at_least: 0, why: why.into() }
    }

    /// The amount that is attributed to the region.
    pub(crate) fn at_least(&self) -> i64 {
        match self {
            Self::Known(number) | Self::NotJudged { at_least: number, .. } => *number,
        }
    }

    /// The exact amount, or `None` where the figure is not judged.
    pub(crate) fn known(&self) -> Option<i64> {
        match self {
            Self::Known(number) => Some(*number),
            Self::NotJudged { .. } => None,
        }
    }

    /// The reason why the figure is not judged, if it is not.
    pub(crate) fn not_judged(&self) -> Option<&str> {
        match self {
            Self::Known(_) => None,
            Self::NotJudged { why, .. } => Some(why),
        }
    }
}
