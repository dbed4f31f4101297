//! Thread-locals are initialized on first use, and dropped with the threads that each call starts.

use leakcheck::Options;

#[test]
fn thread_locals_stay_quiet() {
    // Sets up the thread-locals of this thread.
    case::trigger();
    let options = Options::new().name("thread_locals_stay_quiet").threshold_bytes(2_000);
    leakcheck::check(options, || {
        for _ in 0..50 {
            case::trigger();
        }
    });
}
