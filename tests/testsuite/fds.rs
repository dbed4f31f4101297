//! A test is charged with the file descriptors that it leaves open, and not with what other tests open.

use leakcheck_tests::{Finished, Fixture, Outcome, Unjudged};

const FDS: Fixture = Fixture::new("leaks", "fds");
const IN_PARALLEL: &str =
    "other tests ran at the same time; run it under nextest or with `--test-threads=1`";

/// Tests that leave a descriptor open, with a part of its description.
const LEFT: [(&str, &str); 11] = [
    ("leaves_a_file_open", "leaks/Cargo.toml"),
    ("leaves_a_file_for_writing_open", "leakcheck-fds-written"),
    ("leaves_a_tcp_listener_open", "TCP socket 127.0.0.1:"),
    ("leaves_a_udp_socket_open", "UDP socket 127.0.0.1:"),
    ("leaves_a_unix_listener_open", "leakcheck-fds-"),
    ("leaves_the_reading_end_of_a_pipe_open", ", its reading end"),
    ("leaves_a_duplicate_open", "leaks/Cargo.toml"),
    ("leaves_an_accepted_connection_open", " to 127.0.0.1:"),
    ("leaves_a_directory_open", "leaks"),
    ("leaves_a_file_opened_by_c_code_open", "leaks/Cargo.toml"),
    ("leaves_a_file_open_from_another_thread", "leaks/Cargo.toml"),
];

#[test]
fn open_descriptors_are_reported_with_where_they_were_opened_also_in_parallel() {
    for threads in [1, 8] {
        let run = FDS
            .run()
            .arg("--skip")
            .arg("in_parallel")
            .arg("--skip")
            .arg("without_a_hook")
            .threads(threads)
            .go();
        for (test, target) in LEFT {
            assert_eq!(run.outcome(test), Outcome::Failed, "`{test}` on {threads} threads");
            let report = run.report(test);
            let [fd] = &report.fds[..] else { panic!("`{test}` leaves one: {report:#?}") };
            assert!(fd.target.contains(target), "`{test}`: {}", fd.target);
            assert!(fd.opened_at.iter().any(|frame| frame.is_in(test)), "`{test}`: {fd:#?}");
            assert!(!report.leaves_unjudged("fds"), "`{test}`: {report:#?}");
        }
    }
}

#[test]
fn a_report_lists_open_descriptors_and_where_they_were_opened() {
    let run = alone("leaves_a_tcp_listener_open");
    let said = run.output("leaves_a_tcp_listener_open");
    let headline =
        "leakcheck: `leaves_a_tcp_listener_open` left 1 file descriptor open, limit 0 (fds)";
    assert!(said.contains(headline), "{said}");
    assert!(said.contains("still open: 1 file descriptor\n"), "{said}");
    let place = ", listening\n       opened at leaks/tests/fds.rs:";
    assert!(said.contains(place), "{said}");
    assert!(said.contains("in fds::leaves_a_tcp_listener_open\n"), "{said}");
    assert!(said.contains("intended? #[leak_check(fds = …)] or (skip = \"why\")"), "{said}");
}

#[test]
fn descriptors_that_were_opened_at_one_place_are_one_entry() {
    let run = alone("leaves_twelve_open_with_a_limit_of_five");
    let said = run.output("leaves_twelve_open_with_a_limit_of_five");
    assert!(said.contains("left 12 file descriptors open, limit 5 (fds)"), "{said}");
    assert!(said.contains("  12 × leaks/Cargo.toml"), "{said}");
    assert_eq!(said.matches("opened at leaks/tests/fds.rs").count(), 1, "{said}");
    assert!(said.contains("    close it: drop its owner; "), "{said}");
    assert_eq!(run.report("leaves_twelve_open_with_a_limit_of_five").fds.len(), 12);
}

#[test]
fn resources_over_their_limit_come_before_memory_within_its_limit() {
    let run = alone("leaves_a_tcp_listener_open");
    let said = run.output("leaves_a_tcp_listener_open");
    let after_headline = "limit 0 (fds)\n\n  still open: 1 file descriptor\n";
    assert!(said.contains(after_headline), "{said}");
    assert!(said.contains("\n  memory is within its limit of 5.00 MiB: "), "{said}");
    assert!(!said.contains("\n  1.  "), "{said}");
}

#[test]
fn descriptors_up_to_the_limit_may_be_open() {
    let test = "leaves_three_open_within_its_limit";
    let run = alone(test);
    assert_eq!(run.outcome(test), Outcome::Passed);
    assert_eq!(run.report(test).fds.len(), 3);
}

#[test]
fn a_closed_descriptor_does_not_count() {
    for test in [
        "closes_everything_that_it_opens",
        "closes_on_another_thread",
        "is_closed_while_the_check_settles",
        "closes_a_range",
        "closes_what_it_opened_without_a_hook",
        "redirects_a_descriptor_and_restores_it",
        "replaces_standard_input",
        "opens_an_allowed_file",
    ] {
        let run = alone(test);
        assert_eq!(run.outcome(test), Outcome::Passed, "{}", run.output(test));
        let report = run.report(test);
        assert!(report.fds.is_empty() && !report.leaves_unjudged("fds"), "{report:#?}");
    }
}

#[test]
fn closing_an_older_descriptor_does_not_compensate_for_an_open_one() {
    let test = "closes_what_was_open_before";
    let run = alone(test);
    assert_eq!(run.outcome(test), Outcome::Passed, "{}", run.output(test));
    assert_eq!(run.report("closes").fds.len(), 0);
    assert_eq!(run.report("replaces").fds.len(), 1);
}

#[test]
fn descriptors_of_an_inner_region_count_for_the_outer_one_but_not_for_later_ones() {
    let test = "opens_in_an_inner_region";
    let run = alone(test);
    assert_eq!(run.outcome(test), Outcome::Passed, "{}", run.output(test));
    let [fd] = &run.report("outer").fds[..] else { panic!("one") };
    assert!(fd.opened_at.iter().any(|frame| frame.is_in(test)), "{fd:#?}");
    assert_eq!(run.report("afterwards").fds.len(), 0);
}

#[test]
fn descriptors_of_unknown_origin_count_only_if_the_test_ran_alone() {
    let test = "leaves_one_open_without_a_hook";
    for run in [alone(test), FDS.run().only(test).go()] {
        assert_eq!(run.outcome(test), Outcome::Failed);
        let [fd] = &run.report(test).fds[..] else { panic!("one") };
        assert!(fd.target.ends_with("leaks/Cargo.toml") && fd.opened_at.is_empty(), "{fd:#?}");
    }
}

#[test]
fn a_number_that_was_closed_without_a_hook_is_not_confused_with_its_next_use() {
    let run = alone("closes_without_a_hook");
    assert_eq!(run.outcome("closes_without_a_hook"), Outcome::Passed);
}

#[test]
fn descriptors_that_another_test_opens_in_parallel_are_not_charged() {
    let run = FDS.run().arg("in_parallel").threads(2).go();
    let opens = "opens_in_parallel";
    assert_eq!(run.outcome(opens), Outcome::Passed, "{}", run.output(opens));
    let parallel = run.report("parallel");
    assert!(parallel.fds.is_empty(), "{parallel:#?}");
    let unjudged = Unjudged { figure: "fds".into(), why: IN_PARALLEL.into() };
    assert!(parallel.unjudged.contains(&unjudged), "{parallel:#?}");
}

#[test]
fn a_written_limit_that_cannot_be_judged_fails_with_the_reason_and_the_way_out() {
    let test = "in_parallel_to_a_test_that_opens";
    let run = FDS.run().arg("in_parallel").threads(2).go();
    assert_eq!(run.outcome(test), Outcome::Failed);
    let said = run.output(test);
    let headline =
        format!("leakcheck: `parallel` cannot be judged by limit 0 (fds): {IN_PARALLEL}");
    assert!(said.contains(&headline), "{said}");
    assert!(said.contains("no way to judge it? remove `fds`, or #[leak_check(skip"), "{said}");
    assert!(run.report("parallel").is_unjudged("fds"));
    let run = FDS.run().arg("in_parallel").threads(2).env("LEAK_CHECK", "warn").go();
    assert_eq!(run.outcome(test), Outcome::Passed, "{}", run.output(test));
    assert!(run.stderr().contains(&headline), "{}", run.stderr());
}

#[test]
fn without_hooks_descriptors_count_only_if_the_test_ran_alone() {
    let test = "leaves_a_file_open";
    let without = FDS.with_features("install");
    let run = without.run().only(test).threads(1).go();
    assert_eq!(run.outcome(test), Outcome::Failed);
    let [fd] = &run.report(test).fds[..] else { panic!("one") };
    assert!(fd.target.ends_with("leaks/Cargo.toml") && fd.opened_at.is_empty(), "{fd:#?}");
    let run = without.run().only(test).threads(2).go();
    assert_eq!(run.outcome(test), Outcome::Failed);
    assert!(run.report(test).is_unjudged("fds"));
}

#[track_caller]
fn alone(test: &str) -> Finished {
    FDS.run().only(test).threads(1).go()
}
