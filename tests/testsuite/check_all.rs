//! `check_all!` checks every test of a program.

use leakcheck_tests::{Finished, Fixture, Outcome, Run};

const THREE_MB: i64 = 3 << 20;

fn unit() -> Run {
    Fixture::unit_tests("suite").run()
}

fn whole() -> Finished {
    unit().env("LEAK_SKIP", "*is_named*").go()
}

#[track_caller]
fn verdict(run: &Finished, test: &str) -> String {
    run.report(&format!("tests::{test}")).verdict.is.clone()
}

#[test]
fn every_test_is_judged_on_its_own() {
    let run = whole();
    let expected = [
        ("keeps_nothing", "passed"),
        ("keeps_a_hundred_bytes", "passed"),
        ("keeps_three_megabytes", "leaked"),
        ("forgets_two_megabytes_itself", "leaked"),
        ("keeps_three_megabytes_on_a_thread", "leaked"),
        ("panics_on_purpose_and_keeps_three_megabytes", "leaked"),
        ("returns_a_result", "passed"),
        ("fills_a_thread_local", "passed"),
        ("has_a_limit_of_its_own", "passed"),
        ("is_skipped_by_its_attribute", "skipped"),
        ("is_named_by_leak_skip", "skipped"),
    ];
    assert_eq!(run.reports().len(), expected.len());
    for (test, is) in expected {
        assert_eq!(verdict(&run, test), is, "{test}");
    }
    assert_eq!(
        run.report("tests::has_a_limit_of_its_own").limits.as_ref().unwrap()["bytes"]["source"]["name"],
        "threshold_mb"
    );
}

#[test]
fn allocations_of_libtest_around_a_test_are_not_charged_to_it() {
    for threads in [1, 4] {
        let run = unit().threads(threads).env("LEAK_THRESHOLD_MB", "0").go();
        for test in ["keeps_nothing", "returns_a_result", "fills_a_thread_local"] {
            let report = run.report(&format!("tests::{test}"));
            assert_eq!(report.verdict.is, "passed", "{test}: {report:?}");
            assert_eq!(report.judged.unwrap().bytes, 0, "{test}: {report:?}");
        }
        let kept = run.report("tests::keeps_a_hundred_bytes");
        assert_eq!((kept.verdict.is.as_str(), kept.judged.unwrap().bytes), ("leaked", 100));
        assert_eq!(kept.retained_through("keep").bytes, 100);
        let on_a_thread = run.report("tests::keeps_three_megabytes_on_a_thread");
        assert_eq!(on_a_thread.judged.unwrap().bytes, THREE_MB);
    }
}

#[test]
fn a_leak_fails_the_program_although_libtest_passes() {
    let run = whole();
    let test = "tests::keeps_three_megabytes";
    assert_eq!(run.outcome(test), Outcome::Passed, "libtest sees no failure");
    assert_eq!(run.code(), 101);
    let said = run.stderr();
    assert!(said.contains("`tests::keeps_three_megabytes` leaked 3.00 MiB"), "{said}");
    assert!(said.contains("leakcheck: 4 tests leaked: `tests::"), "{said}");
    assert!(said.contains("suite::keep"), "the report names the line: {said}");
}

#[test]
fn reference_paths_come_from_a_snapshot() {
    for (test, function) in [
        ("keeps_three_megabytes", "keep"),
        ("forgets_two_megabytes_itself", "forgets_two_megabytes_itself"),
    ] {
        let test = format!("tests::{test}");
        let run = unit().only(&test).env("LEAK_HOLDERS", "auto").go();
        let report = run.report(&test);
        let site = report.call_sites.iter().find(|site| site.passes(function));
        let holders = &site.expect("it is listed").holders;
        assert_eq!(holders[0].class, "lost", "{test}: {}", run.stderr());
        assert!(!run.stderr().contains("rerun"), "{test}: {}", run.stderr());
    }
}

#[test]
fn lost_bytes_have_their_own_limit() {
    let only = || unit().only("tests::keeps_a_hundred_bytes").env("LEAK_HOLDERS", "auto");
    let run = only().env("LEAK_LOST_BYTES", "99").go();
    let said = run.stderr();
    assert!(said.contains("lost 100 B, limit 99 B (LEAK_LOST_BYTES)"), "{said}");
    assert_eq!(run.code(), 101, "{said}");
    let run = only().env("LEAK_LOST_BYTES", "100").go();
    assert_eq!((run.code(), run.stderr()), (0, ""));
}

#[test]
fn a_limit_that_cannot_be_judged_fails_the_program() {
    let run = unit().only("tests::keeps_a_hundred_bytes").env("LEAK_HOLDERS", "off");
    let run = run.env("LEAK_LOST_BYTES", "0").go();
    let output = run.stderr();
    assert_eq!(run.code(), 101, "{output}");
    let reason = "`tests::keeps_a_hundred_bytes` cannot be judged by limit 0 B (LEAK_LOST_BYTES): ";
    assert!(output.contains(reason) && !output.contains("leaked: "), "{output}");
}

#[test]
fn a_program_without_leaks_succeeds() {
    let run = Fixture::new("suite", "clean").run().go();
    assert_eq!(run.code(), 0, "{}", run.stderr());
    let report = run.report("keeps_four_megabytes");
    assert_eq!((report.verdict.is.as_str(), report.test.kind.as_str()), ("passed", "integration"));
}

#[test]
fn a_program_without_libtest_in_which_nothing_is_checked_fails() {
    let run = || Fixture::new("suite", "no_harness").run();
    let told = "leakcheck: `check_all!` checked no test: it recognizes the tests of libtest, and this \
                program has `harness = false`. Call `leakcheck::check` instead\n";
    let failed = run().go();
    assert_eq!((failed.code(), failed.stderr()), (101, told));
    let warned = run().env("LEAK_CHECK", "warn").go();
    assert_eq!((warned.code(), warned.stderr()), (0, told));
    let off = run().env("LEAK_CHECK", "off").go();
    assert_eq!((off.code(), off.stderr()), (0, ""));
    let checks_itself = run().arg("checks").go();
    assert_eq!((checks_itself.code(), checks_itself.stderr()), (0, ""));
}

#[test]
fn a_program_whose_tests_are_all_filtered_out_succeeds() {
    for filter in ["--list", "no_such_test"] {
        let run = Fixture::new("suite", "clean").run().arg(filter).go();
        assert_eq!((run.code(), run.stderr()), (0, ""));
    }
}

#[test]
fn a_test_that_exits_fails_the_program_and_is_named() {
    let open =
        "the process exited while `b_exits` was being checked, so leaks may have gone unseen";
    for (fixture, test) in [("exits", "b_exits"), ("exits_unmarked", "b_exits")] {
        let fixture = Fixture::new("suite", fixture);
        let run = fixture.run().only(test).go();
        assert_eq!(run.code(), 101, "{}", run.stderr());
        assert!(run.stderr().contains(open), "{}", run.stderr());
        // Another test has failed before.
        let run = fixture.run().threads(1).go();
        assert_eq!(run.code(), 101, "{}", run.stderr());
        assert!(run.stderr().contains(open), "{}", run.stderr());
    }
}

#[test]
fn a_test_that_ends_the_process_without_handlers_fails_the_program() {
    let exits = Fixture::new("suite", "exits");
    let run = exits.run().only("exits_at_once").go();
    assert_eq!(run.code(), 101, "{}", run.stderr());
    assert!(run.stderr().contains("the process called `_exit` while a check was open"));
    let run = exits.run().only("exits_at_once").env("LEAK_CHECK", "warn").go();
    assert_eq!(run.code(), 0, "{}", run.stderr());
    let run = exits.run().only("exits_in_a_child").go();
    assert_eq!((run.code(), run.stderr()), (0, ""));
}

#[test]
fn a_leak_only_warns_in_warn_mode() {
    let run = unit().env("LEAK_CHECK", "warn").go();
    assert_eq!(run.code(), 0, "{}", run.stderr());
    assert!(run.stderr().contains("leaked 3.00 MiB"), "{}", run.stderr());
    let run = unit().env("LEAK_CHECK", "record").go();
    assert_eq!((run.code(), run.stderr()), (0, ""));
    assert_eq!(verdict(&run, "keeps_three_megabytes"), "leaked");
    let run = unit().env("LEAK_CHECK", "off").go();
    assert_eq!((run.code(), run.stderr(), run.reports().len()), (0, "", 0));
}

#[test]
fn a_test_that_fails_is_not_judged() {
    let run = Fixture::new("suite", "fails").run().go();
    assert_eq!(run.code(), 101);
    assert_eq!(run.outcome("fails_with_six_megabytes"), Outcome::Failed);
    assert_eq!(run.report("fails_with_six_megabytes").verdict.is, "not_judged");
    assert!(!run.stderr().contains("leaked"), "{}", run.stderr());
}

#[test]
fn a_setting_that_cannot_be_read_fails_the_program() {
    let run = Fixture::new("suite", "clean").run().env("LEAK_THRESHOLD_MB", "much").go();
    assert_eq!(run.code(), 101);
    let said = run.stderr();
    assert!(said.contains("`LEAK_THRESHOLD_MB` is `much`, expected"), "{said}");
}
