//! A program that wraps a custom allocator gets the same verdicts as any other.

use std::collections::BTreeMap;

use leakcheck_tests::{Finished, Fixture, Outcome};

#[test]
fn threads_are_judged_alike() {
    check("threads", 16);
}

#[test]
fn pools_are_judged_alike() {
    check("contexts", 1);
}

#[test]
fn checks_of_process_scope_are_judged_alike() {
    check("process_scope", 1);
}

#[test]
fn memory_that_outlives_its_test_is_judged_alike() {
    check("outliving", 1);
}

#[test]
fn unusual_contexts_are_judged_alike() {
    check("unusual_contexts", 1);
}

#[test]
fn unusual_blocks_are_judged_alike() {
    check("unusual_blocks", 8);
}

#[test]
fn panics_are_judged_alike() {
    check("should_panic", 1);
}

#[test]
fn settling_is_judged_alike() {
    check("settling", 1);
}

#[test]
fn exclusions_are_judged_alike() {
    check("exclusions", 8);
}

fn check(target: &'static str, threads: usize) {
    let default = Fixture::new("leaks", target);
    let custom = default.with_features("threads,mimalloc");
    let [default, custom] = [default, custom].map(|fixture| fixture.run().threads(threads).go());
    assert!(!default.outcomes().is_empty());
    assert_eq!(results(&default), results(&custom));
}

/// The parts that are the same in every run: outcomes, verdicts and the memory of the tests themselves.
#[derive(Debug, PartialEq)]
struct TestResult<'a> {
    outcome: Option<Outcome>,
    verdict: Option<&'a str>,
    kept: Option<u64>,
}

fn results(run: &Finished) -> BTreeMap<&str, TestResult<'_>> {
    let names = run.outcomes().keys().chain(run.reports().keys());
    let results = names.map(|name| {
        let report = run.reports().get(name);
        let result = TestResult {
            outcome: run.outcomes().get(name).copied(),
            verdict: report.map(|report| &*report.verdict.is),
            kept: report.map(|report| report.retained_through("keep").bytes),
        };
        (&**name, result)
    });
    results.collect()
}
