//! At the end of the body some of the last 6 KiB are still alive: another thread frees them a moment
//! later.

use leakcheck::Options;

#[test]
fn a_late_drop_is_waited_for() {
    // Starts the thread that drops the values.
    case::trigger();
    let options = Options::new().name("a_late_drop_is_waited_for").threshold_bytes(3_000);
    leakcheck::check(options, || {
        for _ in 0..100 {
            case::trigger();
        }
    });
}
