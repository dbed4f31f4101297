//! The rule: what a figure's course over the batches says.

use leakcheck_report::GrowthClass as Class;

use crate::track::{Span, Track};

/// Batches from which on the lowest readings are compared, not the last ones.
const LONG: usize = 5;
/// The part of an earlier rate of growth that a later one has to keep. Growth with the square root
/// of the calls keeps 0.50 from one pair of batches to the next, growth in steps of one and a half
/// 0.84, a steady leak all.
const PACE: f64 = 0.65;
/// The part of it that the last batch has to keep by itself. A figure that grows in steps need not
/// have had its step yet when three quarters of the batch are over.
const LATE_PACE: f64 = 0.4;
/// Rises in a batch from which on growth counts as steady, not in steps.
const STEADY: u32 = 8;

/// Whether growth of that class may go on forever.
pub(crate) fn goes_on(class: Class) -> bool {
    matches!(class, Class::Leak | Class::Undecided)
}

/// The class where few iterations are enough.
pub(crate) fn with_few(class: Class, few_suffice: bool) -> Class {
    if few_suffice && class == Class::Undecided { Class::Leak } else { class }
}

/// What a track's course says, or nothing where it did not grow after the warm-up.
pub(crate) fn class(track: &Track) -> Option<Class> {
    let grown: Vec<i64> = track.by_batch();
    if !grown.iter().any(|growth| *growth > 0) {
        return None;
    }
    if let Some(class) = keeping_pace(track) {
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

/// What it is if growth keeps pace with the calls over the last batches.
fn keeping_pace(track: &Track) -> Option<Class> {
    if track.spans().len() < LONG {
        keeps_pace_so_far(track).then_some(Class::Undecided)
    } else {
        (floor_keeps_pace(track) && grew_in_each(track)).then_some(Class::Leak)
    }
}

/// Whether each of the last batches has grown, and not much less a call than the others: in a batch
/// of its own what grows in steps takes at least one, and what is carried to and fro may take none.
fn grew_in_each(track: &Track) -> bool {
    let (grown, spans) = (track.by_batch(), track.spans());
    let from = spans.len() - EACH;
    let rates =
        || grown[from..].iter().zip(&spans[from..]).map(|(grown, span)| rate(*grown, span.calls));
    let highest = rates().fold(0.0, f64::max);
    rates().all(|rate| rate > 0.0 && rate >= LEAST_OF_EACH * highest)
}

/// The last batches that have to grow each.
const EACH: usize = 3;
/// The part of the highest of their rates that each must have. Steps of one and a half have 0.27.
const LEAST_OF_EACH: f64 = 0.25;

/// Of few batches: the last two grew, and the last as much a call as the one before.
fn keeps_pace_so_far(track: &Track) -> bool {
    let (grown, spans) = (track.by_batch(), track.spans());
    let [.., before, last] = grown[..] else { return false };
    let [.., Span { calls: calls_before, .. }, Span { calls, fall, .. }] = spans[..] else {
        return false;
    };
    before > 0
        && last > 0
        && last >= 2 * fall
        && rate(last, calls) >= PACE * rate(before, calls_before)
}

/// Of more batches: their lowest readings rise, and as much a call as before. What goes up and down
/// falls back sooner or later, and the longer a batch, the lower its lowest reading; what leaks
/// never comes back.
fn floor_keeps_pace(track: &Track) -> bool {
    let spans = track.spans();
    let last = spans.len() - 1;
    // The lowest reading of a batch is near its begin: it tells of the batches before.
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
        && recent >= PACE * earlier
        && in_last >= LATE_PACE * recent
        && end.end - spans[last - 1].end >= 2 * end.fall
        && still_grows(end, spans[last - 1].end)
}

/// Batches in a row whose lowest readings have to rise. Readings that just go up and down do so for
/// four batches, each twice as long as the one before, once in 315 times, and hardly ever at an
/// even pace.
const RISING: usize = 3;

/// Whether a batch that grew steadily did so to its end.
fn still_grows(span: &Span, before: i64) -> bool {
    let (whole, late) = (span.end - before, span.end - span.late);
    span.rises < STEADY || late as f64 * 4.0 >= LATE_PACE * whole as f64
}

fn rate(growth: i64, calls: u64) -> f64 {
    growth as f64 / calls.max(1) as f64
}

/// The course of a figure and what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// What the course says.
    pub class: Class,
    /// Growth by batch.
    pub by_batch: Vec<i64>,
    /// Growth per iteration over the last batches.
    pub per_call: f64,
}

impl Evidence {
    /// Where a number of iterations was asked for, few are enough.
    pub(crate) fn of(track: &Track, few_suffice: bool) -> Option<Self> {
        let class = with_few(class(track)?, few_suffice);
        Some(Self { class, by_batch: track.by_batch(), per_call: track.recent_rate() })
    }
}
