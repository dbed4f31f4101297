//! The leaky version leaves one thread and about 1,300 bytes behind per call. The test makes few
//! calls, because the number of threads of a process is limited.

#[leakcheck::leak_check(threshold_bytes = 26_000)]
#[test]
fn a_dropped_watcher_ends_its_timer() {
    for _ in 0..40 {
        case::trigger();
    }
}
