//! The cache holds 64 entries, and garbage of crossbeam-epoch that wobbles by a few kB.

use leakcheck::Options;

#[test]
fn a_full_moka_cache_stays_quiet() {
    // Fills the cache and its garbage, which some 110 calls do.
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
