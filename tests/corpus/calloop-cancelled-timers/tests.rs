//! The leaky version keeps 384 to 768 bytes per call in the heap of a thread-local event loop: no
//! block is added, one is reallocated, in steps that double.

use leakcheck::Options;

#[test]
fn removed_timers_go_away() {
    // Creates the event loop of this thread.
    case::trigger();
    let options = Options::new().name("removed_timers_go_away").threshold_bytes(19_000);
    leakcheck::check(options, || {
        for _ in 0..100 {
            case::trigger();
        }
    });
}
