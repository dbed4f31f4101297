//! The leaky version loses 1,512 bytes per call, allocated by the threads of the global pool. There
//! is no warm-up: the check starts the pool, so its threads belong to the check, and so do the 19
//! KiB that both versions keep for it.

#[leakcheck::leak_check(threshold_bytes = 151_000)]
#[test]
fn a_panic_drops_the_collected_items() {
    for _ in 0..200 {
        case::trigger();
    }
}
