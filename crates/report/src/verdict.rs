//! The verdict on a check: a pure comparison of figures with limits.

use std::fmt;

use serde::Serialize;

use crate::figure::Figure;
use crate::limit::{Limit, Limits};

/// The judgment of a measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[serde(tag = "is", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// Every figure is within its limit.
    Passed,
    /// At least one figure is over its limit.
    Leaked {
        /// The figures that are, the byte limit first.
        excesses: Vec<Excess>,
    },
    /// The check was told not to look.
    Skipped {
        /// Who said so, and why.
        reason: Skip,
    },
    /// There is nothing to judge.
    NotJudged {
        /// Why.
        reason: NotJudged,
    },
}

/// A figure over its limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[non_exhaustive]
pub struct Excess {
    /// Which figure.
    pub figure: Figure,
    /// Its value.
    pub value: i64,
    /// The limit that it exceeds.
    pub limit: Limit,
}

/// A limit that its figure cannot be compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[non_exhaustive]
pub struct UnjudgedLimit {
    /// Which figure.
    pub figure: Figure,
    /// Its limit.
    pub limit: Limit,
    /// Why the figure is not known, and what to do about it.
    pub why: String,
}

/// A figure that is not known well enough to be compared with a limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[non_exhaustive]
pub struct Unjudged {
    /// Which figure.
    pub figure: Figure,
    /// Why not.
    pub why: String,
}

/// Why a check was skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[serde(tag = "is", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Skip {
    /// The test says so itself, by the argument `skip`.
    Argument {
        /// The reason that was given.
        why: String,
    },
    /// `LEAK_SKIP` has a glob that matches the name of the test.
    Variable {
        /// The glob.
        glob: String,
    },
}

/// Why a check was not judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[serde(tag = "is", rename_all = "snake_case")]
#[non_exhaustive]
pub enum NotJudged {
    /// The counting allocator is not installed, so no leak could be seen.
    Blind,
    /// Miri or a sanitizer watches the memory of this build.
    PassThrough,
    /// A setting cannot be read.
    Settings {
        /// Which one, what it is, and what was expected.
        problem: String,
    },
    /// The body did not end as it should.
    Body {
        /// How it ended.
        end: BodyEnd,
        /// In which iteration, where the body was repeated and it was not the first.
        iteration: Option<u64>,
    },
    /// Limits that somebody wrote and that cannot be judged. This fails the check.
    Limits {
        /// Which ones, and why.
        limits: Vec<UnjudgedLimit>,
    },
    /// Something else that kept the check from being made.
    Other {
        /// What.
        problem: String,
    },
}

/// How a body ended that is not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BodyEnd {
    /// It panicked.
    Panicked,
    /// It returned an error.
    ReturnedError,
    /// It was expected to panic and did not.
    DidNotPanic,
    /// It panicked with another message than the expected one.
    PanickedOtherwise,
}

impl Excess {
    /// A figure with the limit that it exceeds.
    pub fn new(figure: Figure, value: i64, limit: Limit) -> Self {
        Self { figure, value, limit }
    }
}

impl UnjudgedLimit {
    /// A figure with its limit, and why they cannot be compared.
    pub fn new(figure: Figure, limit: Limit, why: impl Into<String>) -> Self {
        Self { figure, limit, why: why.into() }
    }
}

impl fmt::Display for UnjudgedLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { figure, limit, why } = self;
        let value = figure.show(limit.value);
        write!(f, "limit {value} ({}): {why}", limit.source)
    }
}

impl Unjudged {
    /// A figure and why it is not judged.
    pub fn new(figure: Figure, why: impl Into<String>) -> Self {
        Self { figure, why: why.into() }
    }
}

impl Verdict {
    /// Compares figures with their limits. A figure that equals its limit passes, and so does one
    /// without a limit.
    pub fn of(figures: impl IntoIterator<Item = (Figure, i64)>, limits: &Limits) -> Self {
        let excess = |(figure, value): (Figure, i64)| {
            let limit = limits.of(figure)?;
            let is_over = u64::try_from(value).is_ok_and(|value| value > limit.value);
            is_over.then(|| Excess { figure, value, limit: limit.clone() })
        };
        let excesses: Vec<Excess> = figures.into_iter().filter_map(excess).collect();
        if excesses.is_empty() { Self::Passed } else { Self::Leaked { excesses } }
    }

    /// Whether a figure is over its limit.
    pub fn is_leak(&self) -> bool {
        matches!(self, Self::Leaked { .. })
    }

    /// Whether the check fails: for a leak, or for a limit that somebody wrote and that cannot be
    /// judged.
    pub fn fails(&self) -> bool {
        let not_judged = matches!(self, Self::NotJudged { reason: NotJudged::Limits { .. } });
        not_judged || self.is_leak()
    }

    /// The verdict where some figures are not known. A check that would pass is not judged if
    /// somebody wrote a limit for one of them. A default limit passes.
    #[must_use]
    pub fn with_unjudged(self, unjudged: &[Unjudged], limits: &Limits) -> Self {
        if self != Self::Passed {
            return self;
        }
        let written = unjudged.iter().filter_map(|Unjudged { figure, why }| {
            let limit = limits.of(*figure).filter(|limit| limit.source.is_written())?;
            Some(UnjudgedLimit::new(*figure, limit.clone(), why))
        });
        let limits: Vec<UnjudgedLimit> = written.collect();
        if limits.is_empty() {
            return self;
        }
        Self::NotJudged { reason: NotJudged::Limits { limits } }
    }

    /// Whether waiting may turn it into a pass. A peak is over; waiting does not lower it.
    pub fn can_settle(&self) -> bool {
        let Self::Leaked { excesses } = self else { return false };
        excesses.iter().all(|excess| excess.figure != Figure::PeakBytes)
    }

    /// With further figures over their limits, which come first.
    #[must_use]
    pub fn with(self, mut further: Vec<Excess>) -> Self {
        if further.is_empty() {
            return self;
        }
        if let Self::Leaked { excesses } = self {
            further.extend(excesses);
        }
        Self::Leaked { excesses: further }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::Leaked { .. } => f.write_str("leaked"),
            Self::Skipped { reason } => write!(f, "skipped: {reason}"),
            Self::NotJudged { reason } => write!(f, "not judged: {reason}"),
        }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument { why } => f.write_str(why),
            Self::Variable { glob } => write!(f, "`LEAK_SKIP` has `{glob}`"),
        }
    }
}

impl fmt::Display for NotJudged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blind => f.write_str("the counting allocator is not installed"),
            Self::PassThrough => {
                f.write_str("Miri or a sanitizer watches the memory of this build")
            }
            Self::Settings { problem } | Self::Other { problem } => f.write_str(problem),
            Self::Limits { limits } => {
                let limits: Vec<String> = limits.iter().map(ToString::to_string).collect();
                f.write_str(&limits.join("; "))
            }
            Self::Body { end, iteration: None } => write!(f, "the body {end}"),
            Self::Body { end, iteration: Some(iteration) } => {
                write!(f, "the body {end} in iteration {iteration}")
            }
        }
    }
}

impl fmt::Display for BodyEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Panicked => "panicked",
            Self::ReturnedError => "returned an error",
            Self::DidNotPanic => "did not panic",
            Self::PanickedOtherwise => "panicked with another message",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(bytes: u64) -> Limits {
        Limits {
            bytes: Some(Limit::by_argument("threshold_bytes", bytes)),
            blocks: Some(Limit::by_argument("threshold_blocks", 6)),
            peak_bytes: Some(Limit::by_argument("peak_mb", 4999)),
            threads: Some(Limit::by_argument("threads", 0)),
            ..Limits::default()
        }
    }

    fn over(figures: &[(Figure, i64)], limits: &Limits) -> Vec<(Figure, i64)> {
        match Verdict::of(figures.iter().copied(), limits) {
            Verdict::Leaked { excesses } => {
                excesses.iter().map(|excess| (excess.figure, excess.value)).collect()
            }
            _ => Vec::new(),
        }
    }

    #[test]
    fn a_figure_that_equals_its_limit_passes() {
        assert_eq!(over(&[(Figure::Bytes, 100)], &limits(100)), []);
        assert_eq!(over(&[(Figure::Bytes, 101)], &limits(100)), [(Figure::Bytes, 101)]);
    }

    #[test]
    fn shrinking_passes_a_limit_of_zero() {
        assert_eq!(over(&[(Figure::Bytes, -4000)], &limits(0)), []);
    }

    #[test]
    fn every_figure_has_its_own_limit() {
        let figures = [
            (Figure::Bytes, 100),
            (Figure::Blocks, 7),
            (Figure::PeakBytes, 5000),
            (Figure::Threads, 1),
            (Figure::Fds, 3),
        ];
        assert_eq!(over(&figures, &limits(100)), figures[1..4]);
    }

    #[test]
    fn a_peak_does_not_settle() {
        let leaked = |figures: &[(Figure, i64)]| Verdict::of(figures.iter().copied(), &limits(0));
        assert!(leaked(&[(Figure::Bytes, 1)]).can_settle());
        assert!(!leaked(&[(Figure::Bytes, 1), (Figure::PeakBytes, 5000)]).can_settle());
        assert!(!Verdict::Passed.can_settle());
    }

    #[test]
    fn a_written_limit_that_cannot_be_judged_fails_and_a_default_one_passes() {
        let unjudged = [
            Unjudged::new(Figure::Threads, "`/proc` cannot be read"),
            Unjudged::new(Figure::Fds, "it has no limit"),
        ];
        let verdict = Verdict::Passed.with_unjudged(&unjudged, &limits(0));
        assert!(verdict.fails() && !verdict.is_leak());
        assert_eq!(verdict.to_string(), "not judged: limit 0 (threads): `/proc` cannot be read");
        let unjudged = [Unjudged::new(Figure::Bytes, "no reason")];
        let bytes = Some(Limit::default_of(crate::Kind::Unit));
        let default = Limits { bytes, ..Limits::default() };
        assert_eq!(Verdict::Passed.with_unjudged(&unjudged, &default), Verdict::Passed);
    }

    #[test]
    fn a_leak_stays_a_leak_where_another_limit_cannot_be_judged() {
        let unjudged = [Unjudged::new(Figure::Threads, "`/proc` cannot be read")];
        let leaked = Verdict::of([(Figure::Bytes, 1)], &limits(0));
        assert_eq!(leaked.clone().with_unjudged(&unjudged, &limits(0)), leaked);
    }

    #[test]
    fn a_later_iteration_is_named() {
        let text = |reason: NotJudged| Verdict::NotJudged { reason }.to_string();
        assert_eq!(
            text(NotJudged::Body { end: BodyEnd::Panicked, iteration: None }),
            "not judged: the body panicked"
        );
        let later = NotJudged::Body { end: BodyEnd::ReturnedError, iteration: Some(7) };
        assert_eq!(text(later), "not judged: the body returned an error in iteration 7");
    }
}
