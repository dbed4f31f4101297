//! Lesson 1: a test that leaks fails, and its report names the line that allocated.
//!
//!     cargo test -p leakcheck-examples --test first_leak
//!
//! It ends red, on purpose: a thousand users log in and out, and a thousand sessions stay. All assertions hold, so
//! without the attribute the test is green. Now mend `log_out` with `SESSIONS.lock().unwrap().remove(&user);`
//! and run it again.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

/// Everyone who is logged in, for as long as the server runs.
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

/// The mistake: the session is closed, and stays in the map.
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
