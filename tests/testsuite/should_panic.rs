//! A leak never hides behind a panic, and a failure never behind a leak.

use leakcheck_tests::{Finished, Fixture, Outcome};

#[test]
fn a_test_that_must_panic_and_leaks_fails() {
    for test in ["panics_and_leaks", "panics_as_expected_and_leaks"] {
        let run = only(test);
        assert_eq!(run.outcome(test), Outcome::Failed);
        let said = run.output(test);
        assert!(said.contains(&format!("leakcheck: `{test}` leaked 1,000 B, limit 0 B")), "{said}");
        assert_eq!(run.report(test).verdict.is, "leaked");
    }
}

#[test]
fn a_test_that_must_panic_and_does_not_leak_passes() {
    for test in ["panics", "panics_as_expected", "panics_with_a_payload"] {
        for backtrace in ["0", "1"] {
            let run = Fixture::new("leaks", "should_panic")
                .run()
                .only(test)
                .env("RUST_BACKTRACE", backtrace);
            let run = run.go();
            assert_eq!(run.outcome(test), Outcome::Passed, "{}", run.stdout());
            assert_eq!(run.report(test).verdict.is, "passed");
        }
    }
}

#[test]
fn the_report_on_a_leak_is_not_the_panic_that_is_expected() {
    let test = "expects_a_word_of_the_report";
    fails_as_itself(test, "test did not panic as expected");
}

#[test]
fn a_test_that_must_panic_and_does_not_fails_as_itself() {
    fails_as_itself("does_not_panic", "test did not panic as expected");
}

#[test]
fn a_test_that_panics_with_another_message_fails_as_itself() {
    let test = "panics_with_another_message";
    fails_as_itself(test, "panic did not contain expected string");
    fails_as_itself(test, "as it should not");
}

#[test]
fn a_test_that_panics_fails_as_itself() {
    fails_as_itself("fails_and_leaks", "assertion `left == right` failed: as itself");
}

#[test]
fn a_test_that_returns_an_error_fails_as_itself() {
    fails_as_itself("returns_an_error_and_leaks", "Error: \"as itself\"");
}

#[test]
fn a_test_that_returns_ok_is_judged() {
    let run = only("returns_ok_and_leaks");
    assert_eq!(run.outcome("returns_ok_and_leaks"), Outcome::Failed);
    assert_eq!(run.report("returns_ok_and_leaks").verdict.is, "leaked");
    assert_eq!(only("returns_ok").outcome("returns_ok"), Outcome::Passed);
}

#[test]
fn the_backtrace_of_a_leak_has_no_frames_of_leakcheck() {
    let test = "returns_ok_and_leaks";
    let run = Fixture::new("leaks", "should_panic").run().only(test).env("RUST_BACKTRACE", "1");
    let run = run.go();
    assert_eq!(run.outcome(test), Outcome::Failed);
    let output = run.output(test);
    let (report, backtrace) =
        output.split_once("stack backtrace:").expect("std prints a backtrace");
    assert!(report.contains(&format!("leakcheck: `{test}` leaked 1,000 B")), "{output}");
    assert!(backtrace.contains("core::panicking::panic_fmt"), "{output}");
    assert!(!backtrace.contains("leakcheck"), "{output}");
}

fn fails_as_itself(test: &str, words: &str) {
    let run = only(test);
    assert_eq!(run.outcome(test), Outcome::Failed);
    let said = run.output(test);
    assert!(said.contains(words), "{said}");
    assert!(!said.contains("leakcheck:"), "{said}");
    assert_eq!(run.report(test).verdict.is, "not_judged");
}

fn only(test: &str) -> Finished {
    Fixture::new("leaks", "should_panic").run().only(test).go()
}
