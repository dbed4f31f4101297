//! Lesson 5: async tests, on tokio's single-threaded and multi-threaded runtimes.
//!
//!     cargo test -p leakcheck-examples --test async_service
//!
//! The run ends red, on purpose: a client keeps every request until it is answered. `ask` forgets to remove requests
//! that time out; `ask_with_cleanup` removes them in a `Drop`. The attribute works above or below `#[tokio::test]`. The
//! check ends after the runtime has shut down and has freed everything that its tasks owned.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A request that waits for its answer: the text, in case of a retry, and the channel for the answer.
type Request = (String, oneshot::Sender<String>);

static PENDING: LazyLock<Mutex<HashMap<u64, Request>>> = LazyLock::new(Mutex::default);
const TIMEOUT: Duration = Duration::from_millis(10);

fn send() -> (u64, oneshot::Receiver<String>) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let (answer, answered) = oneshot::channel();
    let text = "please ".repeat(200);
    PENDING.lock().unwrap().insert(number, (text, answer));
    (number, answered)
}

/// The bug: a request that times out stays in the map.
async fn ask() -> Option<String> {
    let (_, answered) = send();
    timeout(TIMEOUT, answered).await.ok()?.ok()
}

/// Removes a request from the map, whether it was answered or not.
struct Remove(u64);

impl Drop for Remove {
    fn drop(&mut self) {
        PENDING.lock().unwrap().remove(&self.0);
    }
}

async fn ask_with_cleanup() -> Option<String> {
    let (number, answered) = send();
    let _remove = Remove(number);
    timeout(TIMEOUT, answered).await.ok()?.ok()
}

/// Sends a thousand requests to a server that never answers.
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
async fn timed_out_requests_stay() {
    a_thousand(ask).await;
}

#[leakcheck::leak_check(threshold_mb = 0.5)]
#[tokio::test]
async fn timed_out_requests_are_removed() {
    a_thousand(ask_with_cleanup).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[leakcheck::leak_check(threshold_mb = 0.5)]
async fn timed_out_requests_are_removed_on_worker_threads() {
    a_thousand(ask_with_cleanup).await;
}
