//! Boxes of 16 to 256 bytes that are allocated and freed in random order.

use std::hint::black_box;

use crate::Watch;

/// The number of live blocks.
const SLOTS: usize = 1024;

/// The live blocks. A new block replaces a random old one.
pub(crate) struct Slots {
    blocks: Vec<Option<Box<[u8]>>>,
    random: u64,
}

impl Slots {
    pub(crate) fn new() -> Self {
        Self { blocks: (0..SLOTS).map(|_| None).collect(), random: 0x2545_f491_4f6c_dd1d }
    }

    /// One operation: allocates a block and frees the one that it replaces.
    #[inline(never)]
    pub(crate) fn replace(&mut self) {
        // Xorshift, which is cheap even in unoptimized builds.
        let mut random = self.random;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        self.random = random;
        let size = 16 + (random >> 32) as usize % 241;
        self.blocks[random as usize % SLOTS] = Some(block(random as u8, size));
    }
}

/// A block that is written in full, as in real programs.
#[inline(never)]
pub(crate) fn block(fill: u8, size: usize) -> Box<[u8]> {
    vec![fill; size].into_boxed_slice()
}

fn churn(pairs: u64) {
    let mut slots = Slots::new();
    for _ in 0..pairs {
        slots.replace();
    }
    black_box(&slots.blocks);
}

pub(crate) fn on_threads(threads: u64, pairs: u64, watch: Watch) -> u64 {
    if threads == 1 {
        churn(pairs);
    } else {
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| watch(&mut || churn(pairs)));
            }
        });
    }
    threads * pairs
}
