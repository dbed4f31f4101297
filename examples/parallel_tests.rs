//! Lesson 2: tests run in parallel, and each test is charged for its own memory only.
//!
//!     cargo test -p leakcheck-examples --test parallel_tests
//!
//! The run ends red, on purpose: four tests share a process, one leaks, and only that one fails. Meanwhile the other
//! three allocate far more, under a limit of 0 bytes. The attribute is on the module and applies to all tests inside.

use std::collections::HashMap;
use std::sync::Mutex;
use std::thread;

const ARTICLE: &str = "a leak is memory that nobody needs and nobody frees ";

fn count_words(text: &str) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for word in text.split_whitespace() {
        *counts.entry(word.to_owned()).or_default() += 1;
    }
    counts
}

/// Texts that were seen before. The bug: the full texts are kept, although their hashes would be enough.
static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn is_new(text: &str) -> bool {
    let mut seen = SEEN.lock().unwrap();
    let is_new = !seen.iter().any(|known| known == text);
    if is_new {
        seen.push(text.to_owned());
    }
    is_new
}

#[leakcheck::leak_check(threshold_bytes = 0)]
mod articles {
    use super::*;

    #[test]
    fn words_are_counted() {
        for _ in 0..200 {
            assert_eq!(count_words(&ARTICLE.repeat(20))["nobody"], 40);
        }
    }

    #[test]
    fn words_are_counted_in_threads() {
        let texts: Vec<String> = (1..=8).map(|times| ARTICLE.repeat(times)).collect();
        let counting: Vec<_> =
            texts.into_iter().map(|text| thread::spawn(move || count_words(&text))).collect();
        // This thread frees what other threads allocated, and they freed what this one allocated.
        let total: usize = counting.into_iter().map(|thread| thread.join().unwrap()["leak"]).sum();
        assert_eq!(total, 36);
    }

    #[test]
    fn a_text_is_new_once() {
        let text = ARTICLE.repeat(1000);
        assert!(is_new(&text));
        assert!(!is_new(&text));
    }

    #[test]
    fn an_empty_text_has_no_words() {
        assert!(count_words(&" ".repeat(100_000)).is_empty());
    }
}
