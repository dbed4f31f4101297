//! Which leaks a repetition would have seen.

use leakcheck_report::{GrowthClass as Class, Sensitivity, Stopped};

use crate::class::{class, with_few};
use crate::repeat::Repeat;
use crate::series::Quantity;

/// Which leaks a repetition would have seen that ended for that reason.
pub(crate) fn sensitivity(repeat: &Repeat, stop: Stopped) -> Sensitivity {
    // What the first call allocates says nothing.
    let every = repeat.calls().saturating_sub(1).max(1);
    let mut found = Sensitivity::new(1.0, every, 0.0);
    let few_suffice = repeat.few_suffice(stop);
    for (quantity, track) in repeat.series().judged() {
        if !matches!(quantity, Quantity::BytesAt(_)) {
            continue;
        }
        if let Some(last) = track.last_growth(repeat.warmup()) {
            found.every = found.every.min(repeat.calls() - last).max(1);
        }
        let (Some(span), Some(class)) = (track.spans().last(), class(track)) else { continue };
        let calls = span.calls as f64;
        // Ups and downs hide a leak of less than twice their size over the last batch.
        found.bytes_per_call = found.bytes_per_call.max(2.0 * span.fall as f64 / calls);
        let grown = track.by_batch().last().copied().unwrap_or(0);
        let is_leak = with_few(class, few_suffice) == Class::Leak;
        if !is_leak && stop != Stopped::Certain && grown > 0 {
            found.still_growing += grown as f64 / calls;
        }
    }
    found
}
