//! The leaky version loses 1,888 bytes per call. The fixed one stops growing after about 110 calls,
//! when the garbage of crossbeam-epoch has reached its level.

use leakcheck::Options;

#[test]
fn invalidated_keys_are_freed() {
    // Creates the cache, its threads, and the garbage that the cache always keeps.
    for _ in 0..200 {
        case::trigger();
    }
    let options = Options::new().name("invalidated_keys_are_freed").threshold_bytes(188_000);
    leakcheck::check(options, || {
        for _ in 0..200 {
            case::trigger();
        }
    });
}
