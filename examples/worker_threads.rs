//! Lesson 6: threads that a test starts belong to the test; a `Context` attributes the work of shared threads to it.
//!
//!     cargo test -p leakcheck-examples --test worker_threads
//!
//! The run ends red, on purpose: the first test leaves a thread running, which `threads = 0` forbids, and the third
//! keeps a value that a shared pool created for it. The second and the fourth do the same work and clean up.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{LazyLock, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use leakcheck::{Context, leak_check};

const PERIOD: Duration = Duration::from_secs(60);

fn sweep() {}

/// The bug: nothing can stop the thread.
fn start_endless_sweeper() {
    let sweeper = || loop {
        sweep();
        thread::park_timeout(PERIOD);
    };
    thread::Builder::new().name("sweeper".into()).spawn(sweeper).unwrap();
}

/// A sweeper that stops when its owner is dropped.
struct Sweeper {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeper {
    fn start() -> Self {
        let (stop, stopped) = mpsc::channel();
        let sweeper = move || {
            while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                sweep();
            }
        };
        let thread = thread::Builder::new().name("sweeper".into()).spawn(sweeper).unwrap();
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

#[leak_check(threads = 0)]
#[test]
fn an_endless_sweeper_outlives_the_service() {
    start_endless_sweeper();
}

#[leak_check(threads = 0)]
#[test]
fn a_sweeper_ends_with_the_service() {
    let _sweeper = Sweeper::start();
}

type Job = Box<dyn FnOnce() + Send>;

/// One worker for the whole process. The first test that needs it starts it; the others share it.
static POOL: LazyLock<Sender<Job>> = LazyLock::new(|| {
    let (send, jobs) = mpsc::channel::<Job>();
    thread::spawn(move || jobs.iter().for_each(|job| job()));
    send
});

/// Runs a job in the pool on behalf of the calling test, and waits for the result.
fn in_pool<T: Send + 'static>(job: fn() -> T) -> T {
    let (context, (done, result)) = (Context::current(), mpsc::channel());
    let job = move || {
        // From here on, allocations of the worker belong to the caller. Without this line, no test would own them.
        let _entered = context.enter();
        done.send(job()).unwrap();
    };
    POOL.send(Box::new(job)).unwrap();
    result.recv().unwrap()
}

fn render_thumbnail() -> Vec<u8> {
    vec![0xff; 512 * 1024]
}

static GALLERY: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

#[leak_check(threshold_mb = 0.25)]
#[test]
fn a_thumbnail_from_the_pool_stays_in_the_gallery() {
    let thumbnail = in_pool(render_thumbnail);
    GALLERY.lock().unwrap().push(thumbnail);
}

#[leak_check(threshold_mb = 0.25)]
#[test]
fn a_thumbnail_from_the_pool_is_freed_after_use() {
    let thumbnail = in_pool(render_thumbnail);
    assert_eq!(thumbnail.len(), 512 * 1024);
}
