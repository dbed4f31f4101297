//! The cache holds 64 entries of about 150 bytes. The check replaces all of them, so
//! retained and released bytes cancel out. Its hash table may grow by 2 KiB once, much later.

use leakcheck::Options;

#[test]
fn a_full_cache_stays_quiet() {
    // 16 calls fill the cache.
    for _ in 0..20 {
        case::trigger();
    }
    let options = Options::new().name("a_full_cache_stays_quiet").threshold_bytes(6_000);
    leakcheck::check(options, || {
        for _ in 0..200 {
            case::trigger();
        }
    });
}
