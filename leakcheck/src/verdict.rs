//! What counts as a leak: a pure judgement of figures against limits.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::left::Thing;
use crate::measurement::{Amount, Growth, Measurement};
use crate::options::{Kind, Measure};
use crate::repeat::Finding;

/// The judgement of a measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The check was asked not to look.
    Skipped {
        /// The reason that was given.
        why: String,
    },
    /// There is nothing to judge.
    NotJudged {
        /// What came in between.
        why: String,
    },
}

/// A figure over its limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excess {
    /// Which figure.
    pub figure: Figure,
    /// What it came to.
    pub value: i64,
    /// What it was held against.
    pub limit: Limit,
}

/// A figure that can have a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Figure {
    /// Net growth in bytes.
    Bytes,
    /// Net growth in blocks.
    Blocks,
    /// The most bytes that were live at once.
    PeakBytes,
    /// Threads that were started inside and still run.
    Threads,
    /// File descriptors that were opened inside and are still open.
    Fds,
    /// Child processes that were started inside and that nobody has waited for.
    Children,
    /// Bytes by which the C heap of the process has grown.
    CHeapBytes,
    /// Bytes that nothing holds any more.
    LostBytes,
    /// Bytes that every further call of the body leaves behind, rounded up.
    BytesPerCall,
    /// Threads that every further call of the body leaves running, rounded up.
    ThreadsPerCall,
    /// File descriptors that every further call of the body leaves open, rounded up.
    FdsPerCall,
    /// Child processes that every further call of the body leaves unwaited for, rounded up.
    ChildrenPerCall,
    /// Bytes of the C heap that every further call of the body leaves behind, rounded up.
    CHeapBytesPerCall,
}

/// A figure that is not known well enough to be held against a limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unjudged {
    /// Which figure.
    pub figure: Figure,
    /// What came in between.
    pub why: String,
}

/// The largest value that passes, and who set it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// The largest value that passes.
    pub value: u64,
    /// Who set it, in words: an argument, a variable or a default.
    pub source: String,
}

/// What a measurement is held against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Which figure the limits of bytes and blocks are about.
    pub measure: Measure,
    /// Always there but in a check that repeats its body: growth decides there, unless a limit was
    /// given beside `iterations` or by `LEAK_THRESHOLD_MB`.
    pub bytes: Option<Limit>,
    /// Where it was asked for.
    pub blocks: Option<Limit>,
    /// Where it was asked for.
    pub peak_bytes: Option<Limit>,
    /// Where it was asked for.
    pub threads: Option<Limit>,
    /// Where it was asked for.
    #[serde(default)]
    pub fds: Option<Limit>,
    /// Where it was asked for.
    #[serde(default)]
    pub children: Option<Limit>,
    /// Where it was asked for.
    #[serde(default)]
    pub c_heap_bytes: Option<Limit>,
    /// Where it was asked for.
    #[serde(default)]
    pub lost_bytes: Option<Limit>,
}

impl Limit {
    /// By an argument or a variable.
    pub(crate) fn set_by(name: &str, value: u64) -> Self {
        Self { value, source: name.to_owned() }
    }

    pub(crate) fn default_of(kind: Kind) -> Self {
        Self { value: kind.default_bytes(), source: format!("default for {kind} tests") }
    }
}

/// Known noise in a measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Excused {
    /// In what is retained.
    pub(crate) retained: Amount,
    /// In what was released.
    pub(crate) released: Amount,
}

/// The part of a measurement that limits are held against: without what was allowed and without the
/// known noise.
pub(crate) fn judged(measurement: &Measurement, measure: Measure, excused: Excused) -> Growth {
    let allowed: Amount = measurement.allowed.iter().map(|allowed| allowed.amount).sum();
    let retained = Growth::from(measurement.retained) - allowed.into() - excused.retained.into();
    match measure {
        Measure::Net => retained - measurement.released.into() + excused.released.into(),
        Measure::Retained => retained,
    }
}

/// Holds the figures against the limits. A figure that equals its limit passes.
pub(crate) fn judge(judged: Growth, measurement: &Measurement, limits: &Limits) -> Verdict {
    let left = &measurement.left;
    let figures = [
        (Figure::Bytes, judged.bytes, limits.bytes.as_ref()),
        (Figure::Blocks, judged.blocks, limits.blocks.as_ref()),
        (Figure::PeakBytes, measurement.peak_bytes as i64, limits.peak_bytes.as_ref()),
        (Figure::Threads, measurement.threads.len() as i64, limits.threads.as_ref()),
        (Figure::Fds, left.fds.count.at_least(), limits.fds.as_ref()),
        (Figure::Children, left.children.count.at_least(), limits.children.as_ref()),
        (Figure::CHeapBytes, left.c_heap.at_least(), limits.c_heap_bytes.as_ref()),
    ];
    let excesses: Vec<Excess> = figures
        .into_iter()
        .filter_map(|(figure, value, limit)| limit.map(|limit| (figure, value, limit)))
        .filter(|(_, value, limit)| u64::try_from(*value).is_ok_and(|value| value > limit.value))
        .map(|(figure, value, limit)| Excess { figure, value, limit: limit.clone() })
        .collect();
    if excesses.is_empty() { Verdict::Passed } else { Verdict::Leaked { excesses } }
}

/// The figures that have a limit and that cannot be held against it, with the reasons.
pub(crate) fn unjudged(measurement: &Measurement, limits: &Limits) -> Vec<Unjudged> {
    let mut unjudged = measurement.left.unjudged();
    unjudged.retain(|unjudged| match unjudged.figure {
        Figure::Fds => limits.fds.is_some(),
        Figure::Children => limits.children.is_some(),
        Figure::CHeapBytes => limits.c_heap_bytes.is_some(),
        _ => false,
    });
    unjudged
}

/// What keeps coming with the calls of a repeated body: over a limit of 0, set by who asked for the
/// repetition.
pub(crate) fn of_growth(finding: &Finding, source: &str) -> Vec<Excess> {
    let bytes = (Figure::BytesPerCall, finding.leaked_per_call());
    let left = finding.left_per_call().map(|(thing, per_call)| (Figure::per_call(thing), per_call));
    std::iter::once(bytes)
        .chain(left)
        .filter(|(_, per_call)| *per_call > 0.0)
        .map(|(figure, per_call)| {
            let limit = Limit::set_by(source, 0);
            Excess { figure, value: per_call.ceil() as i64, limit }
        })
        .collect()
}

impl Figure {
    /// What every further call of a repeated body leaves behind of these.
    fn per_call(thing: Thing) -> Self {
        match thing {
            Thing::Threads => Self::ThreadsPerCall,
            Thing::Fds => Self::FdsPerCall,
            Thing::Children => Self::ChildrenPerCall,
            Thing::CHeap => Self::CHeapBytesPerCall,
        }
    }
}

impl Verdict {
    /// Whether the test is to fail.
    pub fn is_leak(&self) -> bool {
        matches!(self, Self::Leaked { .. })
    }
}

impl Verdict {
    /// Whether waiting may turn it into a pass. A peak is over; waiting does not lower it.
    pub(crate) fn can_settle(&self) -> bool {
        let Self::Leaked { excesses } = self else { return false };
        excesses.iter().all(|excess| excess.figure != Figure::PeakBytes)
    }

    /// With further figures over their limits, which come first.
    pub(crate) fn with(self, mut further: Vec<Excess>) -> Self {
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
            Self::Skipped { why } => write!(f, "skipped: {why}"),
            Self::NotJudged { why } => write!(f, "not judged: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::Allowed;

    fn measured(retained: (u64, u64), released: (u64, u64)) -> Measurement {
        Measurement {
            retained: Amount { bytes: retained.0, blocks: retained.1 },
            released: Amount { bytes: released.0, blocks: released.1 },
            peak_bytes: 5000,
            ..Measurement::default()
        }
    }

    fn limits(bytes: u64) -> Limits {
        Limits {
            measure: Measure::Net,
            bytes: Some(Limit::set_by("threshold_bytes", bytes)),
            blocks: None,
            peak_bytes: None,
            threads: None,
            fds: None,
            children: None,
            c_heap_bytes: None,
            lost_bytes: None,
        }
    }

    fn verdict(measurement: &Measurement, limits: &Limits) -> Verdict {
        judge(judged(measurement, limits.measure, Excused::default()), measurement, limits)
    }

    fn over(verdict: &Verdict) -> Vec<(Figure, i64)> {
        match verdict {
            Verdict::Leaked { excesses } => {
                excesses.iter().map(|excess| (excess.figure, excess.value)).collect()
            }
            _ => Vec::new(),
        }
    }

    #[test]
    fn what_equals_its_limit_passes() {
        assert_eq!(verdict(&measured((100, 1), (0, 0)), &limits(100)), Verdict::Passed);
        assert_eq!(
            over(&verdict(&measured((101, 1), (0, 0)), &limits(100))),
            [(Figure::Bytes, 101)]
        );
    }

    #[test]
    fn released_memory_makes_up_for_retained() {
        let measurement = measured((300, 3), (250, 1));
        assert_eq!(verdict(&measurement, &limits(50)), Verdict::Passed);
        let retained = Limits { measure: Measure::Retained, ..limits(50) };
        assert_eq!(over(&verdict(&measurement, &retained)), [(Figure::Bytes, 300)]);
    }

    #[test]
    fn shrinking_passes_a_limit_of_zero() {
        assert_eq!(verdict(&measured((0, 0), (4000, 4)), &limits(0)), Verdict::Passed);
    }

    #[test]
    fn allowed_and_suppressed_memory_is_left_out() {
        let mut measurement = measured((1000, 10), (70, 7));
        let amount = Amount { bytes: 600, blocks: 6 };
        measurement.allowed = vec![Allowed { why: "plugins".into(), amount }];
        let excused = Excused {
            retained: Amount { bytes: 300, blocks: 3 },
            released: Amount { bytes: 20, blocks: 2 },
        };
        let net = judged(&measurement, Measure::Net, excused);
        assert_eq!(net, Growth { bytes: 50, blocks: -4 });
        let retained = judged(&measurement, Measure::Retained, excused);
        assert_eq!(retained, Growth { bytes: 100, blocks: 1 });
    }

    #[test]
    fn every_limit_is_held_on_its_own() {
        let mut measurement = measured((100, 7), (0, 0));
        measurement.threads =
            vec![crate::thread::running::Running { name: "sweeper".into(), started_at: 0 }];
        let limits = Limits {
            blocks: Some(Limit::set_by("threshold_blocks", 6)),
            peak_bytes: Some(Limit::set_by("peak_mb", 4999)),
            threads: Some(Limit::set_by("threads", 0)),
            ..limits(100)
        };
        let expected = [(Figure::Blocks, 7), (Figure::PeakBytes, 5000), (Figure::Threads, 1)];
        assert_eq!(over(&verdict(&measurement, &limits)), expected);
    }
}
