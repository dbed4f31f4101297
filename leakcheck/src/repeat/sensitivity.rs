//! What a repetition would have seen.

use serde::{Deserialize, Serialize};

use super::class::{Class, class};
use super::finding::few_will_do;
use super::plan::Stop;
use super::{Repeat, Source};

/// What a repetition would have seen, and what could hide from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Sensitivity {
    /// The smallest leak, in bytes a call, that would have been seen at any call site.
    pub bytes_per_call: f64,
    /// A leak in every so-manieth call would have been seen: so many went by without growth, or were
    /// made.
    pub every: u64,
    /// Bytes a call that still came in over the last batch at call sites that are not taken for
    /// leaks; above 0 where a cap ended the repetition.
    pub still_growing: f64,
}

impl Sensitivity {
    pub(super) fn of(repeat: &Repeat, stop: Stop) -> Self {
        // What the first call leaves behind says nothing.
        let every = repeat.calls().saturating_sub(1).max(1);
        let mut found = Self { bytes_per_call: 1.0, every, still_growing: 0.0 };
        let few_will_do = few_will_do(repeat, stop);
        for (source, track) in repeat.series().tracks() {
            if !matches!(source, Source::BytesAt(_)) || repeat.is_ignored(source) {
                continue;
            }
            if let Some(last) = track.last_growth(repeat.warmup()) {
                found.every = found.every.min(repeat.calls() - last).max(1);
            }
            let (Some(span), Some(class)) = (track.spans().last(), class(track)) else { continue };
            let calls = span.calls as f64;
            // What goes up and down hides what is less than twice that over the last batch.
            found.bytes_per_call = found.bytes_per_call.max(2.0 * span.fall as f64 / calls);
            let grown = track.by_batch().last().copied().unwrap_or(0);
            if class.with_few(few_will_do) != Class::Leak && stop != Stop::Certain && grown > 0 {
                found.still_growing += grown as f64 / calls;
            }
        }
        found
    }
}
