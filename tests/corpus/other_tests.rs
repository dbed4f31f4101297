//! Tests unrelated to a case that run in parallel with it. None of them leaks.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::Duration;

static ROOTS: LazyLock<Mutex<HashMap<u64, f64>>> = LazyLock::new(Mutex::default);

/// Keeps more and more until it ends, on this thread and on others.
#[test]
fn keeps_words() {
    let words = |thread: usize| {
        let mut kept = Vec::new();
        for round in 0..150 {
            kept.push(format!("word {round} of thread {thread}"));
            thread::sleep(Duration::from_millis(1));
        }
        kept.len()
    };
    let others: Vec<_> = (1..=2).map(|thread| thread::spawn(move || words(thread))).collect();
    assert_eq!(words(0), 150);
    assert!(others.into_iter().all(|other| other.join().unwrap() == 150));
}

/// Fills a cache that is bounded by its keys.
#[leakcheck::leak_check(iterations = "auto")]
#[test]
fn remembers_roots() {
    let mut roots = ROOTS.lock().unwrap();
    let next = roots.len() as u64 % 100;
    roots.entry(next).or_insert_with(|| (next as f64).sqrt());
}

#[leakcheck::leak_check(iterations = "auto")]
#[test]
fn joins_its_threads() {
    let sums = (0..4).map(|thread| thread::spawn(move || (0..thread).collect::<Vec<u64>>()));
    let sums: Vec<_> = sums.collect();
    assert_eq!(sums.into_iter().map(|sum| sum.join().unwrap().len()).sum::<usize>(), 6);
}
