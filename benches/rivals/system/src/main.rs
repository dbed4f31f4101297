//! The system's allocator, nothing in between: what the ratios are relative to. Built with a
//! sanitizer, it is that sanitizer's program.

fn main() {
    rival_workloads::run(|workload| workload(), |thread| thread());
}
