//! The logger is installed, and leaked, once.

use leakcheck::Options;

#[test]
fn an_installed_logger_stays_quiet() {
    // Installs the logger.
    case::trigger();
    let options = Options::new().name("an_installed_logger_stays_quiet").threshold_bytes(1_000);
    leakcheck::check(options, || {
        for _ in 0..100 {
            case::trigger();
        }
    });
}
