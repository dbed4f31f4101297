//! Lesson 5: async tests, on both kinds of tokio's runtime.
//!
//!     cargo test -p leakcheck-examples --test async_service
//!
//! It ends red, on purpose: a client keeps every request until its answer comes. `ask` forgets those that time out;
//! `ask_and_strike_out` removes them in a `Drop`. The attribute may stand above or below `#[tokio::test]`. The runtime is
//! gone before anything is judged, and what its tasks held is freed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A request on its way: its text, for a second try, and where its answer goes.
type Request = (String, oneshot::Sender<String>);

static PENDING: LazyLock<Mutex<HashMap<u64, Request>>> = LazyLock::new(Mutex::default);
const PATIENCE: Duration = Duration::from_millis(10);

fn send() -> (u64, oneshot::Receiver<String>) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let (answer, answered) = oneshot::channel();
    PENDING.lock().unwrap().insert(number, ("please ".repeat(200), answer));
    (number, answered)
}

/// The mistake: a request that times out is not on its way any more, and stays in the map.
async fn ask() -> Option<String> {
    let (_, answered) = send();
    timeout(PATIENCE, answered).await.ok()?.ok()
}

/// Strikes a request out, however the waiting for it ends.
struct StrikeOut(u64);

impl Drop for StrikeOut {
    fn drop(&mut self) {
        PENDING.lock().unwrap().remove(&self.0);
    }
}

async fn ask_and_strike_out() -> Option<String> {
    let (number, answered) = send();
    let _strike_out = StrikeOut(number);
    timeout(PATIENCE, answered).await.ok()?.ok()
}

/// A thousand requests to a server that does not answer.
async fn a_thousand<F>(ask: impl Fn() -> F)
where
    F: Future<Output = Option<String>> + Send + 'static,
{
    let mut requests: JoinSet<_> = (0..1000).map(|_| ask()).collect();
    while let Some(answer) = requests.join_next().await {
        assert_eq!(answer.unwrap(), None);
    }
}

#[leakcheck::leak_check(threshold_mb = 0.5)]
#[tokio::test]
async fn requests_that_time_out_stay() {
    a_thousand(ask).await;
}

#[leakcheck::leak_check(threshold_mb = 0.5)]
#[tokio::test]
async fn requests_that_time_out_are_struck_out() {
    a_thousand(ask_and_strike_out).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[leakcheck::leak_check(threshold_mb = 0.5)]
async fn requests_are_struck_out_on_worker_threads_too() {
    a_thousand(ask_and_strike_out).await;
}
