//! Allocations at the bottom of deep call stacks, of one stack or many.

use std::hint::black_box;

use crate::Watch;
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

/// Each of `count` blocks allocated in a call stack of its own and never freed.
pub(crate) fn kept_sites(count: u64) -> u64 {
    /// As `down`, with a block that is kept.
    #[inline(never)]
    fn keep<const BRANCH: u64>(levels: u64, path: u64) -> u64 {
        if levels == 0 {
            std::mem::forget(black_box(Box::new(path)));
            return 0;
        }
        let (levels, below) = (levels - 1, path >> 2);
        let sum = match path & 3 {
            0 => keep::<0>(levels, below),
            1 => keep::<1>(levels, below),
            2 => keep::<2>(levels, below),
            _ => keep::<3>(levels, below),
        };
        black_box(sum + BRANCH)
    }
    for path in 0..count {
        keep::<0>(10, path);
    }
    count
}

/// Allocates a block in each of `depth` calls of a recursion, and frees them on the way back. Starting a
/// thread with a large stack for it hardly counts, because shallow recursions are repeated.
pub(crate) fn descend(depth: u64, watch: Watch) -> u64 {
    #[inline(never)]
    fn call(depth: u64) -> u64 {
        let block = black_box(Box::new(depth));
        let deeper = if depth > 1 { call(depth - 1) } else { 0 };
        black_box(*block) + deeper
    }
    let repetitions = (100_000 / depth).max(1);
    std::thread::scope(|scope| {
        let run = || watch(&mut || (0..repetitions).for_each(|_| _ = black_box(call(depth))));
        let thread = std::thread::Builder::new().stack_size(1 << 30).spawn_scoped(scope, run);
        thread.expect("a thread").join().expect("no panic");
    });
    repetitions * depth
}

/// Rotations of this number by 2 to 30 bits, in steps of 2, are all different.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
