//! The rule that classifies a figure by its course over the batches.

use leakcheck_report::GrowthClass as Class;

use crate::track::{Span, Track};

/// The number of batches from which the lowest readings are compared instead of the last ones.
const LONG: usize = 5;
/// The part of an earlier growth rate that a later one must reach. Growth with the square root of the
/// calls reaches 0.50 from one pair of batches to the next, growth in steps by a factor of 1.5
/// reaches 0.84, a steady leak 1.
const RATE_KEPT: f64 = 0.65;
/// The part of it that the last batch must reach by itself. A figure that grows in steps may not yet
/// have made its step after three quarters of the batch.
const LATE_RATE_KEPT: f64 = 0.4;
/// The number of rises in a batch from which growth counts as steady, not as steps.
const STEADY: u32 = 8;

/// Whether growth of that class may go on forever.
pub(crate) fn goes_on(class: Class) -> bool {
    matches!(class, Class::Leak | Class::Undecided)
}

/// The class where few iterations are enough.
pub(crate) fn with_few(class: Class, few_suffice: bool) -> Class {
    if few_suffice && class == Class::Undecided { Class::Leak } else { class }
}

/// The class of a figure by its course, or none where it did not grow after the warm-up.
pub(crate) fn class(track: &Track) -> Option<Class> {
    let grown: Vec<i64> = track.by_batch();
    if !grown.iter().any(|growth| *growth > 0) {
        return None;
    }
    if let Some(class) = proportional(track) {
        return Some(class);
    }
    let rises = grown.iter().filter(|growth| **growth > 0).count();
    if grown.iter().any(|growth| *growth < 0) {
        Some(Class::Plateau)
    } else if rises == 1 {
        Some(Class::WarmUp)
    } else {
        Some(Class::FillingCache)
    }
}

/// The class of growth that is proportional to the calls over the last batches.
fn proportional(track: &Track) -> Option<Class> {
    if track.spans().len() < LONG {
        is_proportional_so_far(track).then_some(Class::Undecided)
    } else {
        (floor_is_proportional(track) && grew_in_each(track)).then_some(Class::Leak)
    }
}

/// Whether each of the last batches has grown, and none by much less per call than the others. A
/// figure that grows in steps makes at least one in each batch; one that goes up and down may not.
fn grew_in_each(track: &Track) -> bool {
    let (grown, spans) = (track.by_batch(), track.spans());
    let from = spans.len() - EACH;
    let rates =
        || grown[from..].iter().zip(&spans[from..]).map(|(grown, span)| rate(*grown, span.calls));
    let highest = rates().fold(0.0, f64::max);
    rates().all(|rate| rate > 0.0 && rate >= LEAST_OF_EACH * highest)
}

/// How many of the last batches must each have grown.
const EACH: usize = 3;
/// The part of the highest of their rates that each must reach. Steps by a factor of 1.5 reach 0.27.
const LEAST_OF_EACH: f64 = 0.25;

/// For few batches: the last two grew, and the last by as much per call as the one before.
fn is_proportional_so_far(track: &Track) -> bool {
    let (grown, spans) = (track.by_batch(), track.spans());
    let [.., before, last] = grown[..] else { return false };
    let [.., Span { calls: calls_before, .. }, Span { calls, fall, .. }] = spans[..] else {
        return false;
    };
    before > 0
        && last > 0
        && last >= 2 * fall
        && rate(last, calls) >= RATE_KEPT * rate(before, calls_before)
}

/// For more batches: their lowest readings rise, and by as much per call as before. A figure that goes
/// up and down falls back sooner or later, and the longer a batch, the lower its lowest reading; a
/// leak never falls back.
fn floor_is_proportional(track: &Track) -> bool {
    let spans = track.spans();
    let last = spans.len() - 1;
    // The lowest reading of a batch is near its start, so it shows the growth of the batches before.
    let floor = |index: usize| spans[index].low;
    let rising = RISING.min(last);
    if !(last - rising..last).all(|index| floor(index) < floor(index + 1)) {
        return false;
    }
    let calls = |indexes: std::ops::Range<usize>| -> u64 {
        spans[indexes].iter().map(|span| span.calls).sum()
    };
    let recent = rate(floor(last) - floor(last - 2), calls(last - 2..last));
    let earlier = rate(floor(last - 2) - floor(last - 3), calls(last - 3..last - 2));
    let end = &spans[last];
    let in_last = rate(end.end - floor(last), end.calls);
    recent > 0.0
        && recent >= RATE_KEPT * earlier
        && in_last >= LATE_RATE_KEPT * recent
        && end.end - spans[last - 1].end >= 2 * end.fall
        && still_grows(end, spans[last - 1].end)
}

/// How many times in a row the lowest reading must rise from batch to batch. Over four batches, each
/// twice as long as the one before, readings that only go up and down do so once in 315 times, and
/// hardly ever at an even rate.
const RISING: usize = 3;

/// Whether a batch that grew steadily did so until its end.
fn still_grows(span: &Span, before: i64) -> bool {
    let (whole, late) = (span.end - before, span.end - span.late);
    span.rises < STEADY || late as f64 * 4.0 >= LATE_RATE_KEPT * whole as f64
}

fn rate(growth: i64, calls: u64) -> f64 {
    growth as f64 / calls.max(1) as f64
}

/// The course of a figure and what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Trend {
    /// What the course says.
    pub class: Class,
    /// Growth by batch.
    pub by_batch: Vec<i64>,
    /// Growth per iteration over the last batches.
    pub per_call: f64,
}

impl Trend {
    /// Where a number of iterations was asked for, few are enough.
    pub(crate) fn of(track: &Track, few_suffice: bool) -> Option<Self> {
        let class = with_few(class(track)?, few_suffice);
        Some(Self { class, by_batch: track.by_batch(), per_call: track.recent_rate() })
    }
}
