//! leakcheck. `LEAK_STACKS` says whether call stacks are captured.

fn main() {
    leakcheck_benches::run(|workload| {
        let measurement = leakcheck::measure(workload);
        assert!(measurement.churn.blocks > 0);
    });
}
