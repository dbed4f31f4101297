//! Allowed memory, known noise, and skipped tests.

use leakcheck_tests::{Allowed, Amount, Finished, Fixture, Growth, Outcome, Run};
use serde_json::json;

fn run(test: &str) -> Run {
    Fixture::new("leaks", "exclusions").run().only(test)
}

fn passes(test: &str) -> Finished {
    let run = run(test).go();
    assert_eq!(run.outcome(test), Outcome::Passed, "{}", run.stdout());
    run
}

fn leaks(test: &str) -> Finished {
    let run = run(test).go();
    assert_eq!(run.outcome(test), Outcome::Failed, "{}", run.stdout());
    assert_eq!(run.report(test).verdict.is, "leaked");
    run
}

fn allowed(why: &str, bytes: u64, blocks: u64) -> Allowed {
    Allowed { why: why.to_owned(), amount: Amount { bytes, blocks } }
}

#[test]
fn allowed_memory_is_excluded_and_listed_with_its_reason() {
    let run = passes("allowed");
    let report = run.report("allowed");
    assert_eq!(report.figures().retained, Amount { bytes: 1200, blocks: 2 });
    assert_eq!(
        report.allowed,
        [allowed("a registry", 1200, 2), allowed("nothing in the end", 0, 0)]
    );
}

#[test]
fn memory_that_is_not_allowed_still_counts() {
    let run = leaks("allowed_beside_a_leak");
    let report = run.report("allowed_beside_a_leak");
    assert_eq!(report.judged, Some(Growth { bytes: 70, blocks: 1 }));
    let said = run.output("allowed_beside_a_leak");
    assert!(said.contains("leaked 70 B, limit 0 B"), "{said}");
    assert!(said.contains("allowed: 1,000 B in 1 block: a registry"), "{said}");
    assert_eq!(report.call_sites.len(), 1, "{report:#?}");
}

#[test]
fn memory_that_is_allowed_twice_is_excluded_once() {
    let run = passes("allowed_twice");
    let report = run.report("allowed_twice");
    assert_eq!(report.allowed, [allowed("outer", 1070, 2)]);
    assert_eq!(report.judged, Some(Growth::default()));
}

#[test]
fn memory_of_threads_can_be_allowed() {
    let run = passes("allowed_for_threads");
    let allowed = &run.report("allowed_for_threads").allowed;
    let bytes: Vec<(&str, u64)> = allowed.iter().map(|one| (&*one.why, one.amount.bytes)).collect();
    assert_eq!(bytes, [("a sweeper's", 1000), ("in a thread", 70)]);
}

#[test]
fn memory_allowed_in_an_inner_measurement_is_excluded_from_the_outer_one() {
    let run = passes("allowed_in_an_inner_measurement");
    assert_eq!(run.report("allowed_in_an_inner_measurement").allowed, [allowed("inner", 1000, 1)]);
}

#[test]
fn growth_of_an_allowed_block_counts() {
    let run = leaks("allowed_and_later_grown");
    let judged = run.report("allowed_and_later_grown").judged;
    assert_eq!(judged, Some(Growth { bytes: 3000, blocks: 1 }));
}

/// Allowed memory did not count when it was allocated, so freeing it must not be subtracted.
#[test]
fn freeing_allowed_memory_hides_no_leak() {
    let run = leaks("allowed_and_later_freed");
    let judged = run.report("allowed_and_later_freed").judged;
    assert_eq!(judged, Some(Growth { bytes: 500, blocks: 1 }));
}

#[test]
fn outside_of_checks_allow_has_no_effect() {
    passes("allowed_outside_of_checks");
}

#[test]
fn printing_is_not_a_leak() {
    let run = passes("prints_a_thousand_lines");
    let report = run.report("prints_a_thousand_lines");
    assert_eq!(report.judged, Some(Growth::default()));
    let is_captured = |why: &String| why.contains("captured by libtest");
    let mut noise =
        report.suppressed.iter().filter(|noise| noise.why.as_ref().is_some_and(is_captured));
    assert!(noise.any(|noise| noise.amount.bytes > 100_000), "{report:#?}");
}

#[test]
fn printing_values_of_user_types_is_not_a_leak() {
    let run = passes("prints_a_thousand_values");
    assert_eq!(run.report("prints_a_thousand_values").judged, Some(Growth::default()));
}

#[test]
fn printing_without_capture_is_not_a_leak() {
    let run = run("prints_a_thousand_lines").arg("--nocapture").go();
    assert_eq!(run.report("prints_a_thousand_lines").verdict.is, "passed");
}

#[test]
fn the_message_of_a_panic_is_not_a_leak() {
    for test in ["catches_panics", "catches_the_panic_of_a_thread"] {
        for backtrace in ["0", "1", "full"] {
            let run = run(test).env("RUST_BACKTRACE", backtrace).go();
            assert_eq!(
                run.outcome(test),
                Outcome::Passed,
                "RUST_BACKTRACE={backtrace} {}",
                run.stdout()
            );
        }
    }
}

#[test]
fn a_leak_in_user_code_while_printing_is_a_leak() {
    let run = leaks("prints_a_value_that_leaks");
    assert_eq!(
        run.report("prints_a_value_that_leaks").judged,
        Some(Growth { bytes: 1000, blocks: 1 })
    );
}

/// The file is in the directory of the fixture, where tests run.
#[test]
fn a_suppressions_file_excludes_what_it_names() {
    let with_file = |test| run(test).env("LEAK_SUPPRESSIONS", "suppressions.txt").go();
    let quiet = with_file("leaks_in_legacy_code");
    assert_eq!(quiet.outcome("leaks_in_legacy_code"), Outcome::Passed, "{}", quiet.stdout());
    let report = quiet.report("leaks_in_legacy_code");
    let [noise] = &report.suppressed[..] else { panic!("one rule: {report:#?}") };
    assert_eq!((&*noise.rule, &noise.why), ("legacy::cache", &None));
    assert_eq!(noise.amount, Amount { bytes: 1000, blocks: 1 });

    let beside = with_file("leaks_in_legacy_code_and_elsewhere");
    assert_eq!(beside.outcome("leaks_in_legacy_code_and_elsewhere"), Outcome::Failed);
    let said = beside.output("leaks_in_legacy_code_and_elsewhere");
    assert!(said.contains("leaked 70 B, limit 0 B"), "{said}");
    assert!(said.contains("suppressed: 1,000 B in 1 block"), "{said}");
    leaks("leaks_in_legacy_code");
}

#[test]
fn a_skipped_test_runs_unchecked_and_its_reason_is_recorded() {
    let run = passes("skipped");
    let verdict = &run.report("skipped").verdict;
    assert_eq!(verdict.is, "skipped");
    assert_eq!(verdict.reason, Some(json!({ "is": "argument", "why": "see the other one" })));
    passes("skipped_without_a_reason");
}

#[test]
fn globs_skip_the_tests_that_they_match() {
    let check = |globs, skipped| {
        let run = run("leaks_in_legacy_code").env("LEAK_SKIP", globs).go();
        let expected = if skipped { Outcome::Passed } else { Outcome::Failed };
        assert_eq!(run.outcome("leaks_in_legacy_code"), expected, "{globs}");
        run.report("leaks_in_legacy_code").verdict.reason.clone()
    };
    let by = |glob: &str| Some(json!({ "is": "variable", "glob": glob }));
    assert_eq!(check("leaks_*", true), by("leaks_*"));
    assert_eq!(check("other, *legacy*", true), by("*legacy*"));
    assert_eq!(check("legacy", false), None);
    assert_eq!(check("leaks", false), None);
}
