//! Lesson 2: tests run side by side, and each answers for its own memory.
//!
//!     cargo test -p leakcheck-examples --test parallel_tests
//!
//! It ends red, on purpose: four tests share a process, one leaks, and only that one fails. The other three allocate far
//! more in the meantime under a limit of 0 bytes. The attribute stands on the module and holds for all tests inside.

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

/// Texts that were seen before. The mistake: all of them are kept, where their hashes would do.
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
        // What another thread allocated is freed here, and what this one allocated was freed there.
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
