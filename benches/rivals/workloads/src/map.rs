//! A map of strings to vectors that only grows.

use std::collections::HashMap;
use std::hint::black_box;

pub(crate) fn fill(entries: u64) -> u64 {
    let map: HashMap<String, Vec<u8>> =
        (0..entries).map(|n| (format!("key number {n}"), vec![1; 24])).collect();
    black_box(&map);
    entries
}
