//! The leaky version loses 136 bytes per call, the fixed one none.

#[leakcheck::leak_check(threshold_bytes = 6_800)]
#[test]
fn a_dropped_batch_drops_its_components() {
    for _ in 0..100 {
        case::trigger();
    }
}
