//! The leaky version loses 320 bytes per call, the fixed one none.

#[leakcheck::leak_check(threshold_bytes = 16_000)]
#[test]
fn clear_frees_the_entries() {
    for _ in 0..100 {
        case::trigger();
    }
}
