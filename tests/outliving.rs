//! Memory that outlives its test is charged to it, and to nobody else when it goes.

use leakcheck_tests::{Amount, Finished, Fixture, Outcome};

#[test]
fn what_is_freed_at_exit_is_retained() {
    let run = only("freed_at_exit");
    assert_eq!(run.report("freed_at_exit").figures().retained, Amount { bytes: 1000, blocks: 1 });
    assert_eq!(run.outcome("freed_at_exit"), Outcome::Failed);
    assert!(run.stdout().ends_with("freed at exit\n"), "{}", run.stdout());
}

#[test]
fn what_the_tests_own_thread_keeps_is_retained() {
    let test = "freed_with_the_thread_of_the_test";
    for threads in [1, 2] {
        let run = Fixture::new("leaks", "outliving").run().only(test).threads(threads).go();
        assert_eq!(run.outcome(test), Outcome::Failed);
        assert_eq!(run.report(test).figures().retained, Amount { bytes: 1000, blocks: 1 });
    }
}

#[test]
fn what_goes_with_a_thread_of_the_test_is_not_a_leak() {
    for test in ["freed_with_a_thread_that_is_joined", "freed_with_a_scoped_thread"] {
        assert_eq!(only(test).outcome(test), Outcome::Passed);
    }
}

#[test]
fn a_later_region_releases_what_an_earlier_one_kept() {
    assert_eq!(only("freed_in_a_later_region").outcome("freed_in_a_later_region"), Outcome::Passed);
}

#[test]
fn regions_side_by_side_release_each_others_blocks() {
    assert_eq!(
        only("freed_in_a_region_beside").outcome("freed_in_a_region_beside"),
        Outcome::Passed
    );
}

fn only(test: &str) -> Finished {
    Fixture::new("leaks", "outliving").run().only(test).go()
}
