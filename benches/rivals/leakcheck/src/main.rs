//! leakcheck. `LEAK_STACKS` selects which call stacks are captured.

fn main() {
    rival_workloads::run(
        |workload| {
            let measurement = leakcheck::measure(workload);
            assert!(measurement.churn.blocks > 0);
        },
        // A thread belongs to the region that started it.
        |thread| thread(),
    );
}
