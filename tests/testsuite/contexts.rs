//! A context attributes the work of threads that were started earlier to a test. Without one, their work is
//! unattributed.

use leakcheck_tests::{Amount, Events, Figures, Finished, Fixture, Growth, Outcome};

#[test]
fn a_context_charges_its_test_with_a_pools_work() {
    let run = contexts("entered");
    assert_eq!(run.outcome("entered"), Outcome::Failed);
    let expected = Figures {
        net_growth: Growth { bytes: 1000, blocks: 1 },
        retained: Amount { bytes: 1000, blocks: 1 },
        peak_bytes: 1500,
        churn: Amount { bytes: 1500, blocks: 2 },
        unattributed: Growth { bytes: 70, blocks: 1 },
        events: Events {
            allocations: 2,
            deallocations: 1,
            bytes_allocated: 1500,
            bytes_deallocated: 500,
            ..Events::default()
        },
        ..Figures::default()
    };
    assert_eq!(run.report("entered").figures(), expected);
}

#[test]
fn without_a_context_a_pools_work_is_unattributed() {
    let run = contexts("not_entered");
    assert_eq!(run.outcome("not_entered"), Outcome::Passed);
    let expected = Figures {
        peak_bytes: 500,
        churn: Amount { bytes: 500, blocks: 1 },
        unattributed: Growth { bytes: 1000, blocks: 1 },
        events: Events {
            allocations: 1,
            deallocations: 1,
            bytes_allocated: 500,
            bytes_deallocated: 500,
            ..Events::default()
        },
        ..Figures::default()
    };
    assert_eq!(run.report("not_entered").figures(), expected);
}

#[test]
fn the_context_of_a_closed_check_does_not_affect_a_later_one() {
    let run = contexts("entered_after_its_check");
    assert_eq!(run.outcome("entered_after_its_check"), Outcome::Passed, "{}", run.stdout());
}

#[test]
fn threads_started_in_a_context_belong_to_its_test() {
    let run = contexts("inherited_by_threads");
    assert_eq!(run.outcome("inherited_by_threads"), Outcome::Failed);
    assert_eq!(
        run.report("inherited_by_threads").figures().retained,
        Amount { bytes: 1000, blocks: 1 }
    );
}

#[test]
fn a_context_outside_of_checks_has_no_effect() {
    let run = contexts("outside_of_checks");
    assert_eq!(run.outcome("outside_of_checks"), Outcome::Failed);
    let figures = run.report("outside_of_checks").figures();
    assert_eq!(figures.retained, Amount { bytes: 1000, blocks: 1 });
    assert_eq!(figures.unattributed, Growth { bytes: 70, blocks: 1 });
}

#[test]
fn two_tests_share_a_thread_without_sharing_figures() {
    let run = contexts("two_checks_share_a_worker");
    assert_eq!(run.outcome("two_checks_share_a_worker"), Outcome::Passed);
    assert_eq!(run.report("one").retained_through("keep"), Amount { bytes: 1000, blocks: 1 });
    assert_eq!(run.report("other").retained_through("keep"), Amount { bytes: 70, blocks: 1 });
}

/// Runs a test on the main thread, so that the pool's thread is the only other one.
fn contexts(test: &str) -> Finished {
    Fixture::new("leaks", "contexts").run().only(test).threads(1).go()
}
