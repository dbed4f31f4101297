//! The result of a test.

use serde::{Deserialize, Serialize};

/// The result of a test, the most important first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// Its check was blind: the counting allocator is not installed, or an explicit limit cannot be
    /// judged.
    Blind,
    /// It exceeds a limit, and not only by known leaks.
    Leaked,
    /// A figure exceeds the baseline by more than its tolerance.
    Regressed,
    /// It failed for a reason other than a leak.
    Failed,
    /// Its process ended before the test.
    CutOff,
    /// All its leaks are in the baseline.
    Known,
    /// Its check reached no verdict.
    NotJudged,
    /// Its check was skipped.
    Skipped,
    /// It has no check.
    Unchecked,
    /// libtest ignored it.
    Ignored,
    /// Everything is within its limits.
    #[default]
    Passed,
}

/// The severity of a status, which decides its color.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tone {
    Bad,
    Warn,
    Good,
    Faint,
}

impl Status {
    pub(crate) const ALL: [Self; 11] = [
        Self::Blind,
        Self::Leaked,
        Self::Regressed,
        Self::Failed,
        Self::CutOff,
        Self::Known,
        Self::NotJudged,
        Self::Skipped,
        Self::Unchecked,
        Self::Ignored,
        Self::Passed,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Blind => "blind",
            Self::Leaked => "leaked",
            Self::Regressed => "regressed",
            Self::Failed => "failed",
            Self::CutOff => "cut off",
            Self::Known => "known leak",
            Self::NotJudged => "not judged",
            Self::Skipped => "skipped",
            Self::Unchecked => "unchecked",
            Self::Ignored => "ignored",
            Self::Passed => "passed",
        }
    }

    pub(crate) fn tone(self) -> Tone {
        match self {
            Self::Blind | Self::Leaked | Self::Regressed | Self::Failed | Self::CutOff => Tone::Bad,
            Self::Known | Self::NotJudged => Tone::Warn,
            Self::Passed => Tone::Good,
            Self::Skipped | Self::Unchecked | Self::Ignored => Tone::Faint,
        }
    }

    /// Whether it fails a run because of a leak.
    pub(crate) fn is_leak(self) -> bool {
        matches!(self, Self::Leaked | Self::Regressed)
    }

    /// Whether its check has measured.
    pub(crate) fn is_judged(self) -> bool {
        matches!(self, Self::Leaked | Self::Regressed | Self::Known | Self::Passed)
    }
}
