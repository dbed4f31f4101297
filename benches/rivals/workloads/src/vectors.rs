//! Vectors that grow by pushing.

use std::hint::black_box;

const VECTORS: u64 = 64;

pub(crate) fn grow(rounds: u64) -> u64 {
    for _ in 0..rounds {
        let mut vectors: Vec<Vec<u64>> = (0..VECTORS).map(|_| Vec::new()).collect();
        for n in 0..1024 {
            for vector in &mut vectors {
                vector.push(n);
            }
        }
        black_box(&vectors);
    }
    // From 4 numbers to 1,024 takes an allocation and eight reallocations.
    rounds * VECTORS * 9
}
