//! Lesson 11: a limit cannot tell a small leak from a large warm-up. Repetition can.
//!
//!     cargo test -p leakcheck-examples --test leak_or_warm_up
//!
//! The run ends red, on purpose. Run once, both tests leave memory behind: the first initializes a static table of 2 MiB,
//! the second subscribes a listener of a few bytes. Repeated, the table is still initialized only once, so the first test
//! passes; the second adds a listener in every iteration, so it fails.

use std::sync::{Arc, LazyLock, Mutex};

/// Initialized on first use, and meant to stay.
static SQUARES: LazyLock<Vec<u64>> = LazyLock::new(|| (0..1 << 18).map(|n| n * n).collect());

type Listener = Arc<dyn Fn(&str) + Send + Sync>;

/// The subscribers to all events.
static LISTENERS: Mutex<Vec<Listener>> = Mutex::new(Vec::new());

fn subscribe(listener: impl Fn(&str) + Send + Sync + 'static) {
    LISTENERS.lock().unwrap().push(Arc::new(listener));
}

#[leakcheck::leak_check(iterations = "auto")]
#[test]
fn a_table_is_initialized_once() {
    assert_eq!(SQUARES[12], 144);
}

#[leakcheck::leak_check(iterations = "auto")]
#[test]
fn a_listener_stays_after_every_session() {
    let session = String::from("session 7");
    subscribe(move |event| println!("{session}: {event}"));
}
