//! The leaky version keeps 56 bytes per call in a static channel, the fixed one none.

use leakcheck::Options;

#[test]
fn a_dropped_receiver_leaves_the_queue() {
    // Makes the channel.
    case::trigger();
    let options = Options::new().name("a_dropped_receiver_leaves_the_queue").threshold_bytes(5_600);
    leakcheck::check(options, || {
        for _ in 0..200 {
            case::trigger();
        }
    });
}
