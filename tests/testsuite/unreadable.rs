//! What cannot be read is not taken for absent: without free descriptors, and where the kernel does
//! not answer.

use leakcheck_tests::{Finished, Fixture, Outcome};

#[test]
fn resources_are_found_without_a_free_descriptor() {
    for (test, headline) in [
        ("leaves_all_descriptors_open", "file descriptors open, limit 0 (fds)"),
        ("leaves_all_descriptors_open_unseen", "file descriptors open, limit 0 (fds)"),
        ("leaves_a_child_without_a_free_descriptor", "left 1 child process unwaited for"),
        ("leaves_a_thread_without_a_free_descriptor", "left 1 thread running, limit 0 (threads)"),
    ] {
        let run = run(test);
        assert_eq!(run.outcome(test), Outcome::Failed, "{test}: {}", run.stdout());
        assert!(run.output(test).contains(headline), "{test}: {}", run.output(test));
        assert_eq!(run.report(test).verdict.is, "leaked", "the report is written");
    }
}

#[test]
fn what_threads_hold_is_not_lost_without_a_free_descriptor() {
    for test in [
        "a_thread_holds_a_block_without_a_free_descriptor",
        "this_thread_holds_a_block_without_a_free_descriptor",
    ] {
        let run = run(test);
        assert_eq!(run.outcome(test), Outcome::Passed, "{test}: {}", run.output(test));
    }
}

#[test]
fn call_sites_have_names_without_a_free_descriptor() {
    let test = "leaves_memory_without_a_free_descriptor";
    let run = run(test);
    let said = run.output(test);
    assert!(said.contains("leaks/tests/unreadable.rs:"), "{said}");
    assert!(!said.contains("stripped"), "{said}");
}

#[test]
fn what_was_recorded_is_found_although_it_cannot_be_listed() {
    for test in ["leaves_a_child_that_cannot_be_listed", "leaves_a_child_that_cannot_be_waited_for"]
    {
        let run = run(test);
        assert_eq!(run.outcome(test), Outcome::Failed, "{test}: {}", run.stdout());
        assert!(
            run.output(test).contains("left 1 child process unwaited for"),
            "{}",
            run.output(test)
        );
    }
    let test = "leaves_a_descriptor_that_cannot_be_listed";
    let run = run(test);
    assert_eq!(run.outcome(test), Outcome::Failed, "{}", run.stdout());
    assert!(run.output(test).contains("left 1 file descriptor open"), "{}", run.output(test));
}

#[test]
fn a_limit_fails_if_what_it_limits_cannot_be_listed() {
    let test = "leaves_an_unseen_child_that_cannot_be_listed";
    let run = run(test);
    assert_eq!(run.outcome(test), Outcome::Failed, "{}", run.stdout());
    assert!(run.report(test).is_unjudged("children"));
    let headline = "cannot be judged by limit 0 (children): `/proc/self/task` cannot be read \
                    (Permission denied";
    assert!(run.output(test).contains(headline), "{}", run.output(test));
}

#[test]
fn what_threads_hold_is_not_judged_if_they_cannot_be_listed() {
    let test = "a_thread_that_cannot_be_listed_holds_a_block";
    let run = run(test);
    assert_eq!(run.outcome(test), Outcome::Failed, "{}", run.stdout());
    assert!(run.report(test).is_unjudged("lost_bytes"));
    let headline = "cannot be judged by limit 0 B (lost_bytes): threads cannot be listed: \
                    `/proc/self/task` cannot be read (Permission denied";
    assert!(run.output(test).contains(headline), "{}", run.output(test));
}

#[test]
fn memory_is_not_judged_if_the_kernel_does_not_say_which_pages_are_present() {
    let test = "a_thread_holds_a_block_where_no_page_can_be_asked_about";
    let run = run(test);
    assert_eq!(run.outcome(test), Outcome::Failed, "{}", run.stdout());
    assert!(run.report(test).is_unjudged("lost_bytes"));
    let headline = "cannot be judged by limit 0 B (lost_bytes): memory cannot be searched: the kernel \
                    refuses `mincore` (";
    assert!(run.output(test).contains(headline), "{}", run.output(test));
}

#[test]
fn a_test_without_children_and_descriptors_passes_where_nothing_is_listed() {
    let test = "leaves_nothing_that_could_be_listed";
    let run = run(test);
    assert_eq!(run.outcome(test), Outcome::Passed, "{}", run.output(test));
}

#[test]
fn a_report_without_names_says_what_could_not_be_read() {
    let test = "leaves_memory_where_no_file_can_be_opened";
    let run = run(test);
    let said = run.output(test);
    assert!(
        said.contains("no names, so known noise counts too: `/proc/self/maps` cannot"),
        "{said}"
    );
    assert!(said.contains("full report: not written, "), "{said}");
    assert!(!said.contains("stripped"), "{said}");
}

/// The process has changed for good, so each test has its own.
fn run(test: &str) -> Finished {
    Fixture::new("leaks", "unreadable").run().only(test).threads(1).env("LEAK_HOLDERS", "on").go()
}
