//! Lesson 11: small leaks hide under any limit, and what is only warm trips a tight one. Repetition tells them apart.
//!
//!     cargo test -p leakcheck-examples --test leak_or_warm_up
//!
//! It ends red, on purpose. Both tests leave memory behind when they run once: the first a compiled table, which is
//! megabytes but comes once, and the second a listener of some bytes, which comes with every call. Called again and
//! again, the first passes and the second fails.

use std::sync::{Arc, LazyLock, Mutex};

/// Made at its first use, and meant to stay.
static SQUARES: LazyLock<Vec<u64>> = LazyLock::new(|| (0..1 << 18).map(|n| n * n).collect());

type Listener = Arc<dyn Fn(&str) + Send + Sync>;

/// Who wants to hear of events.
static LISTENERS: Mutex<Vec<Listener>> = Mutex::new(Vec::new());

fn subscribe(listener: impl Fn(&str) + Send + Sync + 'static) {
    LISTENERS.lock().unwrap().push(Arc::new(listener));
}

#[leakcheck::leak_check(iterations = "auto")]
#[test]
fn a_table_is_made_once() {
    assert_eq!(SQUARES[12], 144);
}

#[leakcheck::leak_check(iterations = "auto")]
#[test]
fn a_listener_stays_after_every_session() {
    let session = String::from("session 7");
    subscribe(move |event| println!("{session}: {event}"));
}
