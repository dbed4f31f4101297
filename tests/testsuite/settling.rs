//! A check waits for memory that is about to be freed, but no longer than `settle_ms`.

use leakcheck_tests::{Finished, Fixture, Outcome};

#[test]
fn memory_freed_within_the_settling_time_is_not_a_leak() {
    let run = only("dropped_within_the_settling_time");
    assert_eq!(
        run.outcome("dropped_within_the_settling_time"),
        Outcome::Passed,
        "{}",
        run.stdout()
    );
    assert_eq!(run.report("dropped_within_the_settling_time").figures().retained.bytes, 0);
}

#[test]
fn without_settling_time_live_memory_counts() {
    let run = only("dropped_without_settling_time");
    assert_eq!(run.outcome("dropped_without_settling_time"), Outcome::Failed);
    assert_eq!(run.report("dropped_without_settling_time").figures().retained.bytes, 1000);
}

#[test]
fn a_passing_check_does_not_wait() {
    assert_eq!(only("clean").outcome("clean"), Outcome::Passed);
}

fn only(test: &str) -> Finished {
    Fixture::new("leaks", "settling").run().only(test).go()
}
