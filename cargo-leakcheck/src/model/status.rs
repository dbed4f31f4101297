//! What became of a test.

use serde::{Deserialize, Serialize};

/// What became of a test, what matters most first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// Its check could not see, or a limit that somebody wrote cannot be judged.
    Blind,
    /// It leaves more behind than its limit, and not only what the baseline knows.
    Leaked,
    /// A figure is beyond its tolerance over the baseline.
    Regressed,
    /// It failed for a reason of its own.
    Failed,
    /// Its process ended before it did.
    CutOff,
    /// It leaks what the baseline knows.
    Known,
    /// Its check came to no verdict.
    NotJudged,
    /// Its check was asked not to look.
    Skipped,
    /// It has no check.
    Unchecked,
    /// libtest was asked to leave it out.
    Ignored,
    /// Everything is within its limits.
    #[default]
    Passed,
}

/// How good or bad a status is, which decides its color.
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

    /// Whether it fails a run for what the command is there for.
    pub(crate) fn is_leak(self) -> bool {
        matches!(self, Self::Leaked | Self::Regressed)
    }

    /// Whether its check has measured.
    pub(crate) fn is_judged(self) -> bool {
        matches!(self, Self::Leaked | Self::Regressed | Self::Known | Self::Passed)
    }
}
