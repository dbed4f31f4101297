//! The whole process is watched, because the threads of the pool are older than the check.

use leakcheck::{Options, Scope};

#[test]
fn a_running_pool_stays_quiet() {
    // Starts the pool.
    case::trigger();
    let options = Options::new()
        .name("a_running_pool_stays_quiet")
        .threshold_bytes(8_000)
        .scope(Scope::Process);
    leakcheck::check(options, || {
        for _ in 0..100 {
            case::trigger();
        }
    });
}
