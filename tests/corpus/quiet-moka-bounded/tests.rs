//! The cache holds 64 entries, and garbage of crossbeam-epoch whose size varies by a few KiB.

use leakcheck::Options;

#[test]
fn a_full_moka_cache_stays_quiet() {
    // About 110 calls fill the cache and its garbage.
    for _ in 0..200 {
        case::trigger();
    }
    let options = Options::new().name("a_full_moka_cache_stays_quiet").threshold_bytes(24_000);
    leakcheck::check(options, || {
        for _ in 0..200 {
            case::trigger();
        }
    });
}
