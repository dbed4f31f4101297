//! Workloads that allocate, and the way to time them. The programs in `bin/` run them under one
//! allocator each; `compare` runs those programs in turns and prints the ratios.

pub mod workload;

use std::time::Instant;

use workload::WORKLOADS;

/// Runs the workload that the command line names and prints the nanoseconds that one of its
/// operations took. `watch` is what the program's allocator wants around it.
///
/// # Panics
///
/// When the command line names no workload.
pub fn run(watch: impl Fn(&mut dyn FnMut())) {
    let name = std::env::args().nth(1).unwrap_or_default();
    let workload = WORKLOADS
        .iter()
        .find(|workload| workload.name == name)
        .unwrap_or_else(|| panic!("`{name}` is no workload"));
    let (mut nanoseconds, mut operations) = (0, 0);
    watch(&mut || {
        // Once for warmth.
        (workload.run)();
        let start = Instant::now();
        operations = (workload.run)();
        nanoseconds = start.elapsed().as_nanos();
    });
    println!("{:.2}", nanoseconds as f64 / operations as f64);
}
