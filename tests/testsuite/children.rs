//! A test is charged with the child processes that it does not wait for, and not with those of other
//! tests.

use leakcheck_tests::{Finished, Fixture, Outcome, Unjudged};

const CHILDREN: Fixture = Fixture::new("leaks", "children");

/// Tests that leave a child process, with its program and state.
const LEFT: [(&str, &str, &str); 5] = [
    ("leaves_one_running", "cat -", "running"),
    ("leaves_one_that_exited", "cat", "exited"),
    ("leaves_a_fork", "children-", "running"),
    ("leaves_one_with_a_pre_exec_hook", "cat", "running"),
    ("leaves_one_from_another_thread", "cat -", "running"),
];

#[test]
fn unreaped_children_are_reported_with_where_they_were_started_also_in_parallel() {
    for threads in [1, 8] {
        let run = CHILDREN.run().arg("leaves_").threads(threads).go();
        for (test, command, state) in LEFT {
            assert_eq!(run.outcome(test), Outcome::Failed, "`{test}` on {threads} threads");
            let children = &run.report(test).children;
            let [child] = &children[..] else { panic!("`{test}` leaves one: {children:#?}") };
            assert!(child.command.contains(command), "`{test}`: {}", child.command);
            assert_eq!(child.state, state, "`{test}`");
            assert!(child.started_at.iter().any(|frame| frame.is_in(test)), "`{test}`: {child:#?}");
        }
    }
}

#[test]
fn a_report_lists_children_and_where_they_were_started() {
    let run = alone("leaves_one_running");
    let said = run.output("leaves_one_running");
    let headline = "`leaves_one_running` left 1 child process unwaited for, limit 0 (children)";
    assert!(said.contains(headline), "{said}");
    assert!(said.contains("not waited for: 1 child process\n"), "{said}");
    assert!(said.contains("`cat -`, running, started at leaks/tests/children.rs:"), "{said}");
}

#[test]
fn children_up_to_the_limit_may_be_left() {
    let run = alone("leaves_two_within_its_limit");
    assert_eq!(run.outcome("leaves_two_within_its_limit"), Outcome::Passed);
    assert_eq!(run.report("leaves_two_within_its_limit").children.len(), 2);
}

#[test]
fn reaped_children_and_those_of_others_do_not_count() {
    for test in [
        "waits_for_all",
        "is_waited_for_while_the_check_settles",
        "has_an_earlier_child",
        "starts_one_that_is_allowed_to_stay",
        "checks_in_a_fork",
    ] {
        let run = alone(test);
        assert_eq!(run.outcome(test), Outcome::Passed, "{}", run.output(test));
    }
}

#[test]
fn children_of_an_inner_region_count_for_the_outer_one_but_not_for_later_ones() {
    let test = "starts_one_in_an_inner_region";
    let run = alone(test);
    assert_eq!(run.outcome(test), Outcome::Passed, "{}", run.output(test));
    assert_eq!(run.report("outer").children.len(), 1);
    assert_eq!(run.report("afterwards").children.len(), 0);
}

#[test]
fn children_of_unknown_origin_count_only_if_the_test_ran_alone() {
    let test = "leaves_one_started_without_a_hook";
    let run = alone(test);
    assert_eq!(run.outcome(test), Outcome::Failed);
    let [child] = &run.report(test).children[..] else { panic!("one") };
    assert!(child.started_at.is_empty(), "{child:#?}");
}

#[test]
fn children_that_another_test_starts_in_parallel_are_not_charged() {
    let run = CHILDREN.run().arg("in_parallel").threads(2).go();
    for test in ["in_parallel_to_a_test_that_starts_one", "starts_one_in_parallel"] {
        assert_eq!(run.outcome(test), Outcome::Passed, "{}", run.output(test));
    }
    let parallel = run.report("parallel");
    assert!(parallel.children.is_empty() && !parallel.leaves_unjudged("children"), "{parallel:#?}");
    let without = CHILDREN.with_features("install").run().arg("in_parallel").threads(2).go();
    let why = "other tests ran at the same time; run it under nextest or with `--test-threads=1`";
    let unjudged = Unjudged { figure: "children".into(), why: why.to_owned() };
    assert!(without.report("parallel").unjudged.contains(&unjudged));
    assert!(without.report("parallel").is_unjudged("children"));
}

#[test]
fn signal_handlers_may_open_files() {
    let test = "opens_a_file_in_a_signal_handler";
    assert_eq!(alone(test).outcome(test), Outcome::Passed);
}

#[test]
fn threads_may_start_children_and_open_files_in_parallel() {
    let test = "starts_many_on_many_threads";
    let run = alone(test);
    assert_eq!(run.outcome(test), Outcome::Passed, "{}", run.output(test));
}

#[track_caller]
fn alone(test: &str) -> Finished {
    CHILDREN.run().only(test).threads(1).go()
}
