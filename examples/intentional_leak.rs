//! Lesson 7: memory that is meant to stay.
//!
//!     cargo test -p leakcheck-examples --test intentional_leak
//!
//! The run ends green. `allow` excludes the allocations of its closure from the check, and the limit applies to the
//! rest of the test; `skip` leaves a whole test unchecked. Both take a reason, for readers of the code. With
//! `LEAK_RECORD=on`, passing tests also write a report below `target/leakcheck`, with the allowed memory and the reason.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex};

static NAMES: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);

/// Keeps one copy of each name for the lifetime of the process.
fn intern(name: &str) -> &'static str {
    let mut names = NAMES.lock().unwrap();
    if let Some(known) = names.get(name) {
        return known;
    }
    leakcheck::allow("interned names live as long as the process", || {
        let name: &'static str = name.to_owned().leak();
        names.insert(name);
        name
    })
}

#[leakcheck::leak_check(threshold_bytes = 0)]
#[test]
fn a_name_is_interned_once() {
    for _ in 0..100 {
        let column = format!("customer_{}", 7);
        assert!(std::ptr::eq(intern(&column), intern("customer_7")));
    }
}

#[leakcheck::leak_check(
    threshold_bytes = 0,
    skip = "loads a 4 MiB dictionary that all tests share"
)]
#[test]
fn words_are_looked_up() {
    static DICTIONARY: LazyLock<Vec<String>> =
        LazyLock::new(|| (0..50_000).map(|n| format!("word {n}")).collect());
    assert_eq!(DICTIONARY[49_999], "word 49999");
}
