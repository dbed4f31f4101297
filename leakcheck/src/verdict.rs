//! What counts as a leak: the figures of a measurement against its limits.

use leakcheck_report::Metric;

use crate::measurement::{Amount, Growth, Measurement};
use leakcheck_growth::Finding;

pub use leakcheck_report::{
    BodyEnd, Excess, Figure, Limit, LimitSource, Limits, NotJudged, Skip, Unjudged, UnjudgedLimit,
    Verdict,
};

/// How much of a measurement is known noise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SuppressedTotal {
    /// Of the retained memory.
    pub(crate) retained: Amount,
    /// Of the released memory.
    pub(crate) released: Amount,
}

/// The part of a measurement that limits of bytes and blocks apply to: without what was allowed and
/// without known noise.
pub(crate) fn judged(
    measurement: &Measurement,
    metric: Metric,
    suppressed: SuppressedTotal,
) -> Growth {
    let allowed: Amount = measurement.allowed.iter().map(|allowed| allowed.amount).sum();
    let retained = Growth::from(measurement.retained) - allowed.into() - suppressed.retained.into();
    match metric {
        Metric::Retained => retained,
        _ => retained - measurement.released.into() + suppressed.released.into(),
    }
}

/// Compares the figures with the limits. A figure that equals its limit passes.
pub(crate) fn judge(judged: Growth, measurement: &Measurement, limits: &Limits) -> Verdict {
    let resources = &measurement.resources;
    let figures = [
        (Figure::Bytes, judged.bytes),
        (Figure::Blocks, judged.blocks),
        (Figure::PeakBytes, measurement.peak_bytes as i64),
        (Figure::Threads, measurement.number_of_threads()),
        (Figure::Fds, resources.fds.count.at_least()),
        (Figure::Children, resources.children.count.at_least()),
        (Figure::CHeapBytes, resources.c_heap.at_least()),
    ];
    Verdict::of(figures, limits)
}

/// The figures that have a limit and cannot be compared with it, with the reasons.
pub(crate) fn unjudged(measurement: &Measurement, limits: &Limits) -> Vec<Unjudged> {
    let mut unjudged = measurement.resources.unjudged();
    unjudged.retain(|unjudged| limits.of(unjudged.figure).is_some());
    unjudged
}

/// Growth in proportion to the calls of a repeated body, each over a limit of 0 that was set where the
/// repetition was asked for.
pub(crate) fn of_growth(finding: &Finding, source: &LimitSource) -> Vec<Excess> {
    let bytes = (Figure::BytesPerCall, finding.leaked_per_call());
    let resources =
        finding.resources_per_call().map(|(resource, it)| (Figure::per_call(resource), it));
    std::iter::once(bytes)
        .chain(resources)
        .filter(|(_, per_call)| *per_call > 0.0)
        .map(|(figure, per_call)| {
            Excess::new(figure, per_call.ceil() as i64, Limit::new(0, source.clone()))
        })
        .collect()
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
        let mut limits = Limits::default();
        limits.bytes = Some(Limit::by_argument("threshold_bytes", bytes));
        limits
    }

    fn verdict(measurement: &Measurement, limits: &Limits) -> Verdict {
        judge(judged(measurement, limits.measure, SuppressedTotal::default()), measurement, limits)
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
    fn released_memory_makes_up_for_retained() {
        let measurement = measured((300, 3), (250, 1));
        assert_eq!(verdict(&measurement, &limits(50)), Verdict::Passed);
        let mut retained = limits(50);
        retained.measure = Metric::Retained;
        assert_eq!(over(&verdict(&measurement, &retained)), [(Figure::Bytes, 300)]);
    }

    #[test]
    fn allowed_and_suppressed_memory_is_excluded() {
        let mut measurement = measured((1000, 10), (70, 7));
        let amount = Amount { bytes: 600, blocks: 6 };
        measurement.allowed = vec![Allowed::new("plugins", amount)];
        let suppressed = SuppressedTotal {
            retained: Amount { bytes: 300, blocks: 3 },
            released: Amount { bytes: 20, blocks: 2 },
        };
        let net = judged(&measurement, Metric::Net, suppressed);
        assert_eq!(net, Growth { bytes: 50, blocks: -4 });
        let retained = judged(&measurement, Metric::Retained, suppressed);
        assert_eq!(retained, Growth { bytes: 100, blocks: 1 });
    }

    #[test]
    fn every_figure_has_its_own_limit() {
        let mut measurement = measured((100, 7), (0, 0));
        measurement.threads = vec![leakcheck_ledger::thread::running::RunningThread {
            name: "sweeper".into(),
            started_at: 0,
        }];
        let mut limits = limits(100);
        limits.blocks = Some(Limit::by_argument("threshold_blocks", 6));
        limits.peak_bytes = Some(Limit::by_argument("peak_mb", 4999));
        limits.threads = Some(Limit::by_argument("threads", 0));
        let expected = [(Figure::Blocks, 7), (Figure::PeakBytes, 5000), (Figure::Threads, 1)];
        assert_eq!(over(&verdict(&measurement, &limits)), expected);
    }
}
