//! Allocations at the bottom of deep call stacks, of one stack or many.

use std::hint::black_box;

use crate::churn::Slots;

/// One level of a call stack: one of four functions, each of which can call all four. `path` selects the function of
/// each level by two bits, and starts over when all its bits are used.
///
/// The functions differ in what they do after the call, so that they cannot be merged and none of the calls is a tail
/// call.
#[inline(never)]
fn down<const BRANCH: u64>(levels: u64, path: u64, slots: &mut Slots, pairs: u64) -> u64 {
    if levels == 0 {
        for _ in 0..pairs {
            slots.replace();
        }
        return 0;
    }
    let (levels, below) = (levels - 1, path.rotate_right(2));
    let sum = match path & 3 {
        0 => down::<0>(levels, below, slots, pairs),
        1 => down::<1>(levels, below, slots, pairs),
        2 => down::<2>(levels, below, slots, pairs),
        _ => down::<3>(levels, below, slots, pairs),
    };
    black_box(sum + BRANCH)
}

/// All allocations at the bottom of the same calls.
pub(crate) fn hot(levels: u64, pairs: u64) -> u64 {
    down::<0>(levels, SPREAD, &mut Slots::new(), pairs);
    pairs
}

/// Each allocation at the bottom of one of four stacks, in turns.
pub(crate) fn alternating(levels: u64, pairs: u64) -> u64 {
    let mut slots = Slots::new();
    for n in 0..pairs {
        down::<0>(levels, SPREAD.rotate_left(n as u32 % 4 * 2), &mut slots, 1);
    }
    pairs
}

/// Each allocation at the bottom of one of `count` stacks of ten calls, in an order without a pattern.
pub(crate) fn sites(count: u64, pairs: u64) -> u64 {
    let mut slots = Slots::new();
    for n in 0..pairs {
        // The factor is a prime larger than every count, so each stack occurs once before any repeats.
        let path = n.wrapping_mul(2_654_435_761) % count;
        down::<0>(10, path, &mut slots, 1);
    }
    pairs
}

/// Rotations of this number by 2 to 30 bits, in steps of 2, are all different.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
