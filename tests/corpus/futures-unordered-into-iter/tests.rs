//! The leaky version loses 256 bytes per call, the fixed one none.

#[leakcheck::leak_check(threshold_bytes = 12_800)]
#[test]
fn into_iter_frees_the_tasks() {
    for _ in 0..100 {
        case::trigger();
    }
}
