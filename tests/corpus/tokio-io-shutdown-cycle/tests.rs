//! The leaky version loses 20,840 bytes per call, most of them allocated by the worker threads that
//! each call starts, and three descriptors. The fixed one keeps 40 bytes on first use.

#[leakcheck::leak_check(threshold_bytes = 208_000)]
#[test]
fn a_dropped_runtime_frees_its_tasks() {
    for _ in 0..20 {
        case::trigger();
    }
}
