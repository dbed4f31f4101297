//! libtest keeps the output of a test in a buffer that grows by doubling, here to 64 kB. It
//! is not the test that leaks them, so even a limit of nothing holds.

#[leakcheck::leak_check(threshold_bytes = 0)]
#[test]
fn captured_output_is_no_leak() {
    for _ in 0..1_000 {
        case::trigger();
    }
}
