//! Lesson 1: a test that leaks fails, and the report names the line that allocated the memory.
//!
//!     cargo test -p leakcheck-examples --test first_leak
//!
//! The run ends red, on purpose: a thousand users log in and out, but their sessions stay in a map. All assertions
//! hold, so without the attribute the test would pass. Fix `log_out` with `SESSIONS.lock().unwrap().remove(&user);`
//! and run the test again.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

/// The sessions of all users, for the lifetime of the server.
static SESSIONS: LazyLock<Mutex<HashMap<u32, Session>>> = LazyLock::new(Mutex::default);

struct Session {
    open: bool,
    history: String,
}

fn log_in(user: u32) {
    let session = Session { open: true, history: String::with_capacity(4096) };
    SESSIONS.lock().unwrap().insert(user, session);
}

fn visit(user: u32, page: &str) {
    SESSIONS.lock().unwrap().get_mut(&user).unwrap().history.push_str(page);
}

/// The bug: the session is marked as closed but not removed from the map.
fn log_out(user: u32) {
    SESSIONS.lock().unwrap().get_mut(&user).unwrap().open = false;
}

fn online() -> usize {
    SESSIONS.lock().unwrap().values().filter(|session| session.open).count()
}

#[leakcheck::leak_check(threshold_mb = 1)]
#[test]
fn a_session_ends_with_log_out() {
    for user in 0..1000 {
        log_in(user);
        visit(user, "/basket");
        log_out(user);
    }
    assert_eq!(online(), 0);
}
