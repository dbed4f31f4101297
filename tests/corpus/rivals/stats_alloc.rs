//! A region of stats_alloc around one call of the trigger: `LIMIT` bytes may be left over. Ends
//! with 23 where there are more.

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let limit: usize = std::env::args().nth(1).expect("a limit is given").parse().unwrap();
    // On a thread of its own, as a test.
    let retained = std::thread::spawn(|| {
        let region = Region::new(GLOBAL);
        case::trigger();
        let change = region.change();
        change.bytes_allocated.saturating_sub(change.bytes_deallocated)
    });
    if retained.join().unwrap() > limit {
        std::process::exit(23);
    }
}
