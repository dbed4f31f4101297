//! The leaky version loses one descriptor per call and no memory, so a check of the heap passes on
//! both.

#[leakcheck::leak_check(threshold_bytes = 1_000)]
#[test]
fn a_descriptor_is_no_heap_memory() {
    for _ in 0..100 {
        case::trigger();
    }
}
