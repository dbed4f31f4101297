//! The system's allocator, nothing in between: what the ratios are relative to.

fn main() {
    leakcheck_benches::run(|workload| workload());
}
