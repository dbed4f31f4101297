//! The leaky version loses 120 bytes per call: allocated here, lost by a worker thread. Both keep 88
//! bytes on first use.

#[leakcheck::leak_check(threshold_bytes = 6_000)]
#[test]
fn a_detached_task_is_freed() {
    for _ in 0..100 {
        case::trigger();
    }
}
