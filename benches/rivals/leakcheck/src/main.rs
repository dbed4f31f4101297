//! leakcheck. `LEAK_STACKS` selects which call stacks are captured.

fn main() {
    rival_workloads::run(
        |workload| {
            if rival_workloads::leaks() {
                let check =
                    || leakcheck::check(leakcheck::Options::new().threshold_bytes(0), workload);
                let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check));
                assert!(failed.is_err());
                return;
            }
            let measurement = leakcheck::measure(workload);
            assert!(measurement.churn.blocks > 0);
        },
        // A thread belongs to the region that started it.
        |thread| thread(),
    );
}
