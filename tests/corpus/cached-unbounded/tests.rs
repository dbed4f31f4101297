//! The unbounded cache (the leaky variant) keeps about 400 bytes per call, the bounded one replaces
//! what it has.

use leakcheck::Options;

#[test]
fn a_memoised_function_does_not_grow() {
    // Two calls fill the bounded cache.
    for _ in 0..10 {
        case::trigger();
    }
    let options = Options::new().name("a_memoised_function_does_not_grow").threshold_bytes(15_000);
    leakcheck::check(options, || {
        for _ in 0..100 {
            case::trigger();
        }
    });
}
