//! A context attributes the work of threads that were started earlier to a test. Without one, their work is
//! unattributed.

use leakcheck_tests::{Amount, Events, Figures, Finished, Fixture, Growth, Outcome};

#[test]
fn a_context_charges_its_test_with_a_pools_work() {
    let run = contexts("carried");
    assert_eq!(run.outcome("carried"), Outcome::Failed);
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
    assert_eq!(run.report("carried").figures(), expected);
}

#[test]
fn without_a_context_a_pools_work_is_unattributed() {
    let run = contexts("not_carried");
    assert_eq!(run.outcome("not_carried"), Outcome::Passed);
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
    assert_eq!(run.report("not_carried").figures(), expected);
}

#[test]
fn the_context_of_a_closed_check_does_not_affect_a_later_one() {
    let run = contexts("entered_too_late");
    assert_eq!(run.outcome("entered_too_late"), Outcome::Passed, "{}", run.stdout());
}

#[test]
fn threads_started_in_a_context_belong_to_its_test() {
    let run = contexts("handed_on");
    assert_eq!(run.outcome("handed_on"), Outcome::Failed);
    assert_eq!(run.report("handed_on").figures().retained, Amount { bytes: 1000, blocks: 1 });
}

#[test]
fn a_context_outside_of_checks_has_no_effect() {
    let run = contexts("of_nothing");
    assert_eq!(run.outcome("of_nothing"), Outcome::Failed);
    let figures = run.report("of_nothing").figures();
    assert_eq!(figures.retained, Amount { bytes: 1000, blocks: 1 });
    assert_eq!(figures.unattributed, Growth { bytes: 70, blocks: 1 });
}

#[test]
fn two_tests_share_a_thread_without_sharing_figures() {
    let run = contexts("two_at_once");
    assert_eq!(run.outcome("two_at_once"), Outcome::Passed);
    assert_eq!(run.report("one").retained_through("keep"), Amount { bytes: 1000, blocks: 1 });
    assert_eq!(run.report("other").retained_through("keep"), Amount { bytes: 70, blocks: 1 });
}

/// On the main thread, so that the pool's is the only other one of the process.
fn contexts(test: &str) -> Finished {
    Fixture::new("leaks", "contexts").run().only(test).threads(1).go()
}
