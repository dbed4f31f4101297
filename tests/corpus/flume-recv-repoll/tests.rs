//! The leaky version keeps about 250 bytes per call in a static channel: no block is added, one is
//! reallocated, in steps that double.

use leakcheck::Options;

#[test]
fn polling_again_adds_nothing() {
    // Creates the channel.
    case::trigger();
    let options = Options::new().name("polling_again_adds_nothing").threshold_bytes(12_000);
    leakcheck::check(options, || {
        for _ in 0..200 {
            case::trigger();
        }
    });
}
