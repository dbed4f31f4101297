//! Blocks made below many calls, by one way or by many.

use std::hint::black_box;

use crate::churn::Slots;

/// One call of a way down, in one of four functions; each calls all four. So there are four ways
/// for each level, and a number says which: two bits a level, and round again.
///
/// The functions differ in what they do after the call, so that none can be merged with another
/// and none of the calls is the last thing in its function.
#[inline(never)]
fn down<const WAY: u64>(levels: u64, ways: u64, slots: &mut Slots, pairs: u64) -> u64 {
    if levels == 0 {
        for _ in 0..pairs {
            slots.turn_over();
        }
        return 0;
    }
    let (levels, below) = (levels - 1, ways.rotate_right(2));
    let sum = match ways & 3 {
        0 => down::<0>(levels, below, slots, pairs),
        1 => down::<1>(levels, below, slots, pairs),
        2 => down::<2>(levels, below, slots, pairs),
        _ => down::<3>(levels, below, slots, pairs),
    };
    black_box(sum + WAY)
}

/// All at the bottom of the same calls, which are made once.
pub(crate) fn hot(levels: u64, pairs: u64) -> u64 {
    down::<0>(levels, SPREAD, &mut Slots::new(), pairs);
    pairs
}

/// Down one of four ways for each block, in turns.
pub(crate) fn alternating(levels: u64, pairs: u64) -> u64 {
    let mut slots = Slots::new();
    for n in 0..pairs {
        down::<0>(levels, SPREAD.rotate_left(n as u32 % 4 * 2), &mut slots, 1);
    }
    pairs
}

/// Down one of so many ways of ten calls for each block, in an order without a pattern.
pub(crate) fn sites(count: u64, pairs: u64) -> u64 {
    let mut slots = Slots::new();
    for n in 0..pairs {
        // A prime above every count: this visits each way once before it begins again.
        let way = n.wrapping_mul(2_654_435_761) % count;
        down::<0>(10, way, &mut slots, 1);
    }
    pairs
}

/// No rotation by an even number of bits, up to 30, gives the same number again.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
