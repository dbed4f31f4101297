//! `stats_alloc`: counts over the whole process.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOC: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    rival_workloads::run(
        |workload| {
            let region = Region::new(ALLOC);
            workload();
            assert!(region.change().allocations > 0);
        },
        |thread| thread(),
    );
}
