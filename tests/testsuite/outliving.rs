//! Memory that outlives its test is charged to it, and to no other test when it is freed.

use leakcheck_tests::{Amount, Finished, Fixture, Outcome};

#[test]
fn memory_freed_at_exit_counts_as_retained() {
    let run = only("freed_at_exit");
    assert_eq!(run.report("freed_at_exit").figures().retained, Amount { bytes: 1000, blocks: 1 });
    assert_eq!(run.outcome("freed_at_exit"), Outcome::Failed);
    assert!(run.stdout().ends_with("freed at exit\n"), "{}", run.stdout());
}

#[test]
fn thread_locals_of_the_test_thread_count_as_retained() {
    let test = "freed_by_the_end_of_the_test_thread";
    for threads in [1, 2] {
        let run = Fixture::new("leaks", "outliving").run().only(test).threads(threads).go();
        assert_eq!(run.outcome(test), Outcome::Failed);
        assert_eq!(run.report(test).figures().retained, Amount { bytes: 1000, blocks: 1 });
    }
}

#[test]
fn memory_freed_by_the_end_of_a_started_thread_is_not_a_leak() {
    for test in ["freed_by_the_end_of_a_joined_thread", "freed_by_the_end_of_a_scoped_thread"] {
        assert_eq!(only(test).outcome(test), Outcome::Passed);
    }
}

#[test]
fn a_later_region_releases_what_an_earlier_one_kept() {
    assert_eq!(only("freed_in_a_later_region").outcome("freed_in_a_later_region"), Outcome::Passed);
}

#[test]
fn parallel_regions_release_each_others_blocks() {
    assert_eq!(
        only("freed_in_a_parallel_region").outcome("freed_in_a_parallel_region"),
        Outcome::Passed
    );
}

fn only(test: &str) -> Finished {
    Fixture::new("leaks", "outliving").run().only(test).go()
}
