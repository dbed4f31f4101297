//! The leaky version loses 240 bytes per call, the fixed one none.

#[leakcheck::leak_check(threshold_bytes = 12_000)]
#[test]
fn a_converted_owner_is_dropped() {
    for _ in 0..100 {
        case::trigger();
    }
}
