//! libtest keeps the output of a test in a buffer that doubles as it grows, here to 64 KiB. This
//! memory is known noise, so the test passes even a limit of 0.

#[leakcheck::leak_check(threshold_bytes = 0)]
#[test]
fn captured_output_is_no_leak() {
    for _ in 0..1_000 {
        case::trigger();
    }
}
