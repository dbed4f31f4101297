//! A check of process scope sees every thread, and runs alone.

use leakcheck_tests::{Amount, Finished, Fixture, Growth, Outcome};

#[test]
fn it_sees_threads_that_were_started_earlier() {
    for threads in [1, 2] {
        let run = Fixture::new("leaks", "process_scope")
            .run()
            .only("an_earlier_thread_leaks")
            .threads(threads)
            .go();
        assert_eq!(run.outcome("an_earlier_thread_leaks"), Outcome::Failed);
        let report = run.report("an_earlier_thread_leaks");
        assert_eq!(report.test.scope, "process");
        assert_eq!(report.retained_through("keep"), Amount { bytes: 1000, blocks: 1 });
        assert_eq!(report.figures().unattributed, Growth::default());
    }
}

#[test]
fn it_passes_if_earlier_threads_keep_nothing() {
    let run = only("an_earlier_thread_is_clean");
    assert_eq!(run.outcome("an_earlier_thread_is_clean"), Outcome::Passed);
    assert_eq!(
        run.report("an_earlier_thread_is_clean").figures().churn,
        Amount { bytes: 1000, blocks: 1 }
    );
}

#[test]
fn memory_that_any_thread_releases_is_subtracted() {
    let run = only("an_earlier_thread_frees");
    assert_eq!(run.outcome("an_earlier_thread_frees"), Outcome::Passed);
    let figures = run.report("an_earlier_thread_frees").figures();
    assert_eq!(figures.released, Amount { bytes: 300, blocks: 1 });
    assert_eq!(figures.net_growth, Growth { bytes: -100, blocks: 0 });
}

#[test]
fn it_sees_threads_that_are_started_inside() {
    let run = only("a_thread_started_inside_leaks");
    assert_eq!(run.outcome("a_thread_started_inside_leaks"), Outcome::Failed);
    assert_eq!(
        run.report("a_thread_started_inside_leaks").retained_through("keep"),
        Amount { bytes: 1000, blocks: 1 }
    );
}

#[test]
fn a_clean_test_passes_a_limit_of_0_on_the_main_thread() {
    assert_eq!(only("clean").outcome("clean"), Outcome::Passed);
}

#[test]
fn a_clean_test_passes_a_limit_of_0_on_a_thread_of_libtest() {
    let run = Fixture::new("leaks", "process_scope").run().only("clean").threads(2).go();
    assert_eq!(run.outcome("clean"), Outcome::Passed);
}

#[test]
fn a_clean_test_passes_a_limit_of_0_while_others_wait_to_start() {
    let run = only("another_test_waits");
    assert_eq!(run.outcome("another_test_waits"), Outcome::Passed, "{}", run.stdout());
    assert_eq!(run.report("another_test_waits").figures().retained, Amount::default());
}

#[test]
fn inside_another_check_it_is_rejected() {
    for test in ["nested_in_a_check", "nested_in_a_check_of_process_scope"] {
        let run = only(test);
        assert_eq!(run.outcome(test), Outcome::Failed);
        let said = run.output(test);
        let refusal = "leakcheck: a check of process scope cannot start inside another check: it must run alone";
        assert!(said.contains(refusal), "{said}");
        assert_eq!(run.report(test).verdict.is, "not_judged");
    }
}

#[test]
fn memory_that_an_inner_check_keeps_counts_too() {
    let run = only("around_a_check");
    assert_eq!(run.outcome("around_a_check"), Outcome::Failed);
    assert_eq!(run.report("within").verdict.is, "passed");
    assert_eq!(run.report("around_a_check").figures().retained, Amount { bytes: 1000, blocks: 1 });
}

/// `stats_alloc` counts all threads, and the ledger counts by owner.
#[test]
fn the_events_of_the_process_agree_with_the_ledger() {
    let tests = [
        "an_earlier_thread_leaks",
        "an_earlier_thread_is_clean",
        "an_earlier_thread_frees",
        "a_thread_started_inside_leaks",
        "clean",
    ];
    for test in tests {
        let figures = only(test).report(test).figures();
        assert_eq!(figures.events.net_growth(), figures.net_growth, "`{test}`: {figures:?}");
        assert!(figures.events.allocations > 0, "`{test}`: {figures:?}");
    }
}

/// Runs a test on the main thread, so that the worker is the only other thread.
fn only(test: &str) -> Finished {
    Fixture::new("leaks", "process_scope").run().only(test).threads(1).go()
}

#[test]
fn no_other_check_is_open_beside_it() {
    for round in 0..5 {
        let run = Fixture::new("leaks", "alone").run().threads(8).arg("--show-output").go();
        let spans: Vec<Span> =
            run.outcomes().keys().map(|test| Span::read(run.output(test))).collect();
        assert_eq!(spans.len(), 16);
        let alone = spans.iter().filter(|span| span.is_alone);
        for (span, other) in alone.flat_map(|span| spans.iter().map(move |other| (span, other))) {
            assert!(
                std::ptr::eq(span, other) || !span.overlaps(other),
                "round {round}: {span:?} {other:?}"
            );
        }
    }
}

#[test]
fn a_limit_of_0_holds_next_to_other_tests() {
    for threads in [1, 2, 8, 16] {
        let run = Fixture::new("leaks", "alone").run().threads(threads).go();
        assert!(
            run.outcomes().values().all(|outcome| *outcome == Outcome::Passed),
            "{}",
            run.stdout()
        );
    }
}

#[test]
fn allocations_of_libtest_are_not_counted() {
    let run = Fixture::new("leaks", "harness").run().threads(4).go();
    assert_eq!(run.reports().len(), 80);
    nothing_is_counted(&run);
}

#[test]
fn without_the_threads_feature_the_end_of_a_test_is_not_counted() {
    let harness = Fixture::new("leaks", "harness").with_features("install");
    let run = harness.run().only("p00a").arg("p00b").threads(2).go();
    assert_eq!(run.reports().len(), 2);
    nothing_is_counted(&run);
}

fn nothing_is_counted(run: &Finished) {
    for (test, report) in run.reports() {
        let figures = report.figures();
        assert_eq!(run.outcome(test), Outcome::Passed, "{}", run.output(test));
        assert_eq!((figures.retained, figures.released), Default::default(), "`{test}`");
    }
}

/// When a check was open.
#[derive(Debug)]
struct Span {
    is_alone: bool,
    from: u64,
    to: u64,
}

impl Span {
    fn read(said: &str) -> Self {
        let [scope, from, to] = said.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("`{said}` is no span");
        };
        let number = |text: &str| text.parse().expect("nanoseconds");
        Self { is_alone: scope == "Process", from: number(from), to: number(to) }
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.from < other.to && other.from < self.to
    }
}
