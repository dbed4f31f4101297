//! Lesson 7: memory that is meant to stay.
//!
//!     cargo test -p leakcheck-examples --test intentional_leak
//!
//! It ends green. `allow` excuses what its closure allocates, and the rest of the test stays under its limit; `skip` lets
//! a whole test go unchecked. Both take the reason, for those who come after you. With `LEAK_RECORD=on` the tests that
//! pass write their figures too, below `target/leakcheck`, and you find there what was allowed, and why.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex};

static NAMES: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);

/// One copy of each name, for the life of the process.
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
    skip = "loads a dictionary of 4 MB that is shared by all tests"
)]
#[test]
fn words_are_looked_up() {
    static DICTIONARY: LazyLock<Vec<String>> =
        LazyLock::new(|| (0..50_000).map(|n| format!("word {n}")).collect());
    assert_eq!(DICTIONARY[49_999], "word 49999");
}
