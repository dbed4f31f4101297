//! The leaky version leaves a thread and some 1,300 bytes behind on each call. The calls are few
//! because so are the threads that a process may have.

#[leakcheck::leak_check(threshold_bytes = 26_000)]
#[test]
fn a_dropped_watcher_ends_its_timer() {
    for _ in 0..40 {
        case::trigger();
    }
}
