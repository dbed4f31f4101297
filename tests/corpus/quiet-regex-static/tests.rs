//! The regex is compiled once, and its match caches are made in the first dozen calls.

use leakcheck::Options;

#[test]
fn a_compiled_regex_stays_quiet() {
    // Compiles the regex, and creates a cache for each slot that later threads may use.
    for _ in 0..20 {
        case::trigger();
    }
    let options = Options::new().name("a_compiled_regex_stays_quiet").threshold_bytes(16_000);
    leakcheck::check(options, || {
        for _ in 0..50 {
            case::trigger();
        }
    });
}
