//! The leaky version keeps 472 bytes per call in a static runtime, the fixed one none.

use leakcheck::Options;

#[test]
fn a_dropped_server_leaves_no_task() {
    // Creates the runtime and its worker thread.
    case::trigger();
    let options = Options::new().name("a_dropped_server_leaves_no_task").threshold_bytes(23_600);
    leakcheck::check(options, || {
        for _ in 0..100 {
            case::trigger();
        }
    });
}
