//! A program that wraps a custom allocator gets the same verdicts as any other.

use std::collections::BTreeMap;

use leakcheck_tests::{Finished, Fixture, Outcome};

#[test]
fn of_threads() {
    check("threads", 16);
}

#[test]
fn of_pools() {
    check("contexts", 1);
}

#[test]
fn of_the_whole_process() {
    check("process_scope", 1);
}

#[test]
fn of_memory_that_outlives_its_test() {
    check("outliving", 1);
}

#[test]
fn of_odd_places() {
    check("odd_places", 1);
}

#[test]
fn of_odd_blocks() {
    check("odd_blocks", 8);
}

#[test]
fn of_panics() {
    check("should_panic", 1);
}

#[test]
fn of_what_goes_late() {
    check("settling", 1);
}

#[test]
fn of_what_is_left_out() {
    check("left_out", 8);
}

fn check(target: &'static str, threads: usize) {
    let systems = Fixture::new("leaks", target);
    let own = systems.with_features("threads,mimalloc");
    let [systems, own] = [systems, own].map(|fixture| fixture.run().threads(threads).go());
    assert!(!systems.outcomes().is_empty());
    assert_eq!(told(&systems), told(&own));
}

/// The parts that are the same in every run: outcomes, verdicts and the memory of the tests themselves.
#[derive(Debug, PartialEq)]
struct Told<'a> {
    outcome: Option<Outcome>,
    verdict: Option<&'a str>,
    kept: Option<u64>,
}

fn told(run: &Finished) -> BTreeMap<&str, Told<'_>> {
    let names = run.outcomes().keys().chain(run.reports().keys());
    let told = names.map(|name| {
        let report = run.reports().get(name);
        let told = Told {
            outcome: run.outcomes().get(name).copied(),
            verdict: report.map(|report| &*report.verdict.is),
            kept: report.map(|report| report.retained_through("keep").bytes),
        };
        (&**name, told)
    });
    told.collect()
}
