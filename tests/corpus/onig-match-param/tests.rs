//! The leaky version loses 80 bytes of the C heap per call, so a check of the Rust heap passes on
//! both.

#[leakcheck::leak_check(threshold_bytes = 1_000)]
#[test]
fn memory_of_c_is_not_counted() {
    for _ in 0..100 {
        case::trigger();
    }
}
