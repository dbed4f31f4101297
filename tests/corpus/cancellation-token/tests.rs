//! The leaky version loses 360 bytes per call, the fixed one none.

#[leakcheck::leak_check(threshold_bytes = 18_000)]
#[test]
fn dropped_parents_are_freed() {
    for _ in 0..100 {
        case::trigger();
    }
}
