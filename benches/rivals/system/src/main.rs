//! The system allocator, the baseline of all ratios. Built with a sanitizer, this is the program of that sanitizer.

fn main() {
    rival_workloads::run(|workload| workload(), |thread| thread());
}
