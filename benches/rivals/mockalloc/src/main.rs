//! mockalloc: checksums over what a thread allocates and frees; with the feature `tracing`, call
//! stacks as well.

use std::alloc::System;

use mockalloc::{Mockalloc, record_allocs};

#[global_allocator]
static ALLOC: Mockalloc<System> = Mockalloc(System);

fn main() {
    // mockalloc counts per thread, so every thread must record.
    rival_workloads::run(record, record);
}

fn record(work: &mut dyn FnMut()) {
    let info = record_allocs(work);
    assert!(info.num_allocs() + info.num_frees() > 0);
}
