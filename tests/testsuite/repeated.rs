//! A repeated body leaks if memory grows in proportion to its iterations, and only then.

use leakcheck_tests::{
    Finished, Fixture, Folder, GrowingResource, Outcome, Repetition, Report, mistake_in,
};
use serde_json::json;

fn run() -> Finished {
    Fixture::new("leaks", "repeated").run().arg("--test-threads=2").go()
}

fn only(test: &str) -> Finished {
    Fixture::new("leaks", "repeated").run().only(test).go()
}

fn repeated(test: &str, iterations: &str) -> Finished {
    let fixture = Fixture::new("leaks", "repeated");
    fixture.run().only(test).env("LEAK_ITERATIONS", iterations).go()
}

/// The largest growth among the call sites of a class.
fn growth(report: &Report, class: &str) -> Option<f64> {
    let of_class = report.call_sites.iter().filter_map(|site| site.growth.as_ref());
    let rates = of_class.filter(|growth| growth.class == class).map(|growth| growth.bytes_per_call);
    rates.max_by(f64::total_cmp)
}

/// The growth per call of a resource other than memory.
fn per_call(repetition: &Repetition, what: &str) -> Option<f64> {
    let leaks = |it: &&GrowingResource| it.what == what && it.class == "leak";
    repetition.resources.iter().find(leaks).map(|resource| resource.per_call)
}

/// The names of the tests imply the expected results.
#[test]
fn memory_that_grows_with_every_iteration_is_a_leak_and_nothing_else() {
    let run = run();
    for (test, outcome) in run.outcomes() {
        // The C heap cannot be judged while other tests run.
        if ["call_panics", "returns_an_error", "itself", "c_code"]
            .iter()
            .any(|it| test.contains(it))
        {
            continue;
        }
        let expected = if test.ends_with("_leaks") { Outcome::Failed } else { Outcome::Passed };
        assert_eq!(*outcome, expected, "`{test}`: {}", run.output(test));
    }
    assert!(run.outcomes().len() > 30, "{}", run.stdout());
}

#[test]
fn the_report_shows_the_growth_per_batch() {
    let test = "a_cycle_leaks";
    let run = only(test);
    let said = run.output(test);
    assert!(said.contains("`a_cycle_leaks` leaks 64 B per call (16,383 calls)"), "{said}");
    assert!(said.contains("growing        32 bytes (1 block) per call:"), "{said}");
    let course = "32,768 → 65,536 → 131,072 → 262,144 over batches of 1,024, 2,048, 4,096, 8,192";
    assert!(said.contains(course), "{said}");
    assert!(said.contains("look for a cycle, and make one side `Weak`"), "{said}");
    assert!(said.contains("would have seen: a leak of 1 B per call at any call site"), "{said}");
    let report = run.report(test);
    assert_eq!(report.repetition.as_ref().unwrap().bytes_per_call, 64.0);
    assert_eq!(growth(report, "leak"), Some(32.0));
    assert_eq!(report.limits.as_ref().unwrap()["bytes"], serde_json::Value::Null);
}

#[test]
fn the_advice_depends_on_the_growth() {
    let run = run();
    for (test, advice) in [
        ("a_vector_leaks", "a collection that only grows"),
        ("a_map_leaks", "a map that only grows"),
        ("an_ordered_map_leaks", "a map that only grows"),
        ("a_shared_cycle_leaks", "look for a cycle"),
        ("a_leaked_string_leaks", "ownership given away by"),
        ("a_channel_leaks", "messages or waiters that stay in a channel"),
        ("a_task_leaks", "tasks that do not end"),
        ("a_thread_leaks", "threads that do not end"),
    ] {
        let sites = &run.report(test).call_sites;
        let told = sites[0].growth.as_ref().and_then(|growth| growth.advice.clone());
        assert!(told.as_deref().is_some_and(|told| told.contains(advice)), "{test}: {told:?}");
    }
}

#[test]
fn threads_that_every_iteration_leaves_running_are_counted() {
    let test = "a_thread_leaks";
    let run = only(test);
    let said = run.output(test);
    assert!(said.contains("leaves 1 thread running per call"), "{said}");
    assert!(said.contains(" × `sweeper`, started at leaks/tests/repeated.rs:"), "{said}");
    let repetition = run.report(test).repetition.clone().unwrap();
    assert_eq!(per_call(&repetition, "threads"), Some(1.0));
    assert_eq!(repetition.stopped, "cap_of_growth");
    assert!(repetition.batches.iter().sum::<u64>() < 32, "{repetition:?}");
}

#[test]
fn descriptors_that_every_iteration_leaves_open_are_counted() {
    let test = "a_descriptor_leaks";
    let run = only(test);
    let said = run.output(test);
    assert!(said.contains("leaves 1 file descriptor open per call"), "{said}");
    assert!(said.contains("file descriptors left open: 8 → 16 → 32 → 64 over batches"), "{said}");
    assert_eq!(per_call(run.report(test).repetition.as_ref().unwrap(), "fds"), Some(1.0));
}

#[test]
fn children_and_memory_of_c_code_are_counted_too() {
    let run = only("a_child_leaks");
    let said = run.output("a_child_leaks");
    assert!(said.contains("leaves 1 child process unwaited for per call (31 calls)"), "{said}");
    let repetition = run.report("a_child_leaks").repetition.clone().unwrap();
    assert_eq!(per_call(&repetition, "children"), Some(1.0));

    let run = only("c_code_leaks");
    let said = run.output("c_code_leaks");
    assert!(
        said.contains("grows the C heap by ") && said.contains(" per call (16,383 calls)"),
        "{said}"
    );
    // A block of 100 bytes takes 112 bytes of the heap, and `malloc` caches some more.
    let repetition = run.report("c_code_leaks").repetition.clone().unwrap();
    let bytes = per_call(&repetition, "c_heap").expect("the heap grows");
    assert!((111.0..114.0).contains(&bytes), "{bytes}");
    let clean = "c_code_and_ours_clean_up";
    assert_eq!(only(clean).outcome(clean), Outcome::Passed);
}

#[test]
fn a_clean_body_runs_nine_times_and_its_sensitivity_is_reported() {
    let test = "nothing_stays";
    let run = only(test);
    let repetition = run.report(test).repetition.clone().unwrap();
    assert_eq!((repetition.warmup, &*repetition.batches), (2, &[1, 2, 4][..]));
    assert_eq!(repetition.stopped, "certain");
    let sensitivity = repetition.sensitivity;
    assert_eq!((sensitivity.bytes_per_call, sensitivity.every), (1.0, 8));
    assert_eq!(sensitivity.still_growing, 0.0);
}

#[test]
fn growth_in_every_seventh_iteration_is_a_leak() {
    let test = "every_seventh_call_leaks";
    let run = only(test);
    assert!(run.output(test).contains("leaks 1 B in 7 calls"), "{}", run.output(test));
}

#[test]
fn a_filling_cache_is_recognized() {
    let test = "a_bounded_cache";
    let run = only(test);
    assert_eq!(run.outcome(test), Outcome::Passed, "{}", run.stdout());
    let report = run.report(test);
    assert_eq!(growth(report, "leak"), None);
    assert!(growth(report, "filling_cache").is_some(), "{report:#?}");
}

#[test]
fn the_report_says_what_still_grew_at_the_cap_of_iterations() {
    let test = "a_bounded_cache";
    let fixture = Fixture::new("leaks", "repeated");
    // The cache is full after 701 calls, in the last batch.
    let run = fixture.run().only(test).env("LEAK_ITERATIONS_MAX", "1023").go();
    assert_eq!(run.outcome(test), Outcome::Passed, "{}", run.stdout());
    let repetition = run.report(test).repetition.clone().unwrap();
    assert_eq!(repetition.stopped, "cap_of_calls");
    assert_eq!(repetition.batches.iter().sum::<u64>(), 1023);
    assert!(repetition.sensitivity.still_growing > 0.0, "{repetition:?}");
}

/// Repeats a body for 0.01 s, or 0.04 s while memory still grows.
fn hurried(test: &str) -> Finished {
    let fixture = Fixture::new("leaks", "repeated");
    fixture.run().only(test).env("LEAK_ITERATIONS_SECONDS", "0.01").go()
}

#[test]
fn too_few_iterations_of_a_slow_body_are_reported_as_undecided() {
    let test = "a_slow_body_that_fills_a_cache";
    let run = hurried(test);
    assert_eq!(run.outcome(test), Outcome::Passed, "{}", run.stdout());
    let told = "`a_slow_body_that_fills_a_cache` is undecided: memory still grew by 100 B per call when \
                time was up after 3 calls; raise `LEAK_ITERATIONS_SECONDS`";
    assert!(run.stderr().contains(told), "{}", run.stderr());
    let repetition = run.report(test).repetition.clone().unwrap();
    assert_eq!((&*repetition.stopped, &*repetition.batches), ("cap_of_time", &[1, 2][..]));
    assert_eq!(growth(run.report(test), "undecided"), Some(100.0));
}

#[test]
fn undecided_growth_is_judged_by_the_limit_of_a_single_run() {
    let test = "a_slow_body_that_is_over_the_limit_leaks";
    let run = hurried(test);
    assert_eq!(run.outcome(test), Outcome::Failed, "{}", run.stdout());
    let said = run.output(test);
    assert!(said.contains("limit 5.00 MiB (default for integration tests)"), "{said}");
}

#[test]
fn growth_that_alternates_between_call_sites_is_one_leak() {
    let test = "a_vector_with_two_writers_leaks";
    let run = only(test);
    assert_eq!(run.outcome(test), Outcome::Failed, "{}", run.stdout());
    assert!(growth(run.report(test), "leak").is_some());
}

#[test]
fn a_body_that_panics_in_a_later_iteration_fails_as_itself() {
    for (test, end, iteration, why) in [
        ("the_fourth_call_panics", "panicked", 4, "the body panicked in iteration 4"),
        (
            "the_third_call_returns_an_error",
            "returned_error",
            3,
            "the body returned an error in iteration 3",
        ),
    ] {
        let run = only(test);
        assert_eq!(run.outcome(test), Outcome::Failed);
        let reason = json!({ "is": "body", "end": end, "iteration": iteration });
        assert_eq!(run.report(test).verdict.reason, Some(reason));
        assert!(run.output(test).contains(why), "{}", run.output(test));
        assert!(!run.output(test).contains(" per call"), "{}", run.output(test));
    }
}

#[test]
fn a_body_that_must_panic_is_repeated_too() {
    assert_eq!(only("every_call_panics").outcome("every_call_panics"), Outcome::Passed);
    let leaks = "every_call_panics_and_leaks";
    assert_eq!(only(leaks).outcome(leaks), Outcome::Failed);
}

#[test]
fn the_variable_repeats_annotated_tests() {
    let small = "small_by_itself";
    assert_eq!(only(small).outcome(small), Outcome::Passed);
    assert!(only(small).report(small).repetition.is_none());
    for iterations in ["auto", "10"] {
        let run = repeated(small, iterations);
        assert_eq!(run.outcome(small), Outcome::Failed, "{}", run.stdout());
        assert_eq!(run.report(small).repetition.as_ref().unwrap().bytes_per_call, 8.0);
    }
    assert_eq!(repeated(small, "1").outcome(small), Outcome::Passed);
}

#[test]
fn a_single_iteration_can_be_requested() {
    let test = "counts_in_a_static";
    let run = repeated(test, "auto");
    assert_eq!(run.outcome(test), Outcome::Failed);
    let hint = "if it cannot be called again, exempt it: #[leak_check(iterations = 1)]";
    assert!(run.output(test).contains(hint), "{}", run.output(test));
    let exempt = "counts_in_a_static_and_is_exempt";
    assert_eq!(repeated(exempt, "auto").outcome(exempt), Outcome::Passed);
}

#[test]
fn known_noise_does_not_prolong_the_repetition() {
    let test = "printed_lines";
    let repetition = only(test).report(test).repetition.clone().unwrap();
    assert_eq!((&*repetition.stopped, &*repetition.batches), ("certain", &[1, 2, 4][..]));
}

#[test]
fn a_body_that_cannot_be_repeated_says_so() {
    let test = "takes_an_argument_by_value";
    let run = repeated(test, "auto");
    assert_eq!(run.outcome(test), Outcome::Passed);
    let told = "`consumes_its_argument` is called once in spite of `LEAK_ITERATIONS`";
    assert!(run.stderr().contains(told), "{}", run.stderr());
    assert!(!repeated(test, "1").stderr().contains(told));
}

#[test]
fn the_report_of_a_single_run_shows_the_command_that_decides() {
    let test = "large_by_itself";
    let run = only(test);
    let command =
        "LEAK_ITERATIONS=auto cargo test -p leaks --test repeated -- --exact large_by_itself";
    assert!(
        run.output(test).contains(&format!("leak or warm-up?\n    {command}")),
        "{}",
        run.output(test)
    );
    assert_eq!(run.report(test).decide.as_deref(), Some(command));
}

#[test]
fn sampled_figures_are_not_judged_by_growth() {
    for stacks in ["sampled", "off"] {
        let fixture = Fixture::new("leaks", "repeated");
        let run = fixture.run().arg("a_").env("LEAK_STACKS", stacks).go();
        for (test, expected) in [
            ("a_vector_leaks", Outcome::Failed),
            ("a_cycle_leaks", Outcome::Failed),
            ("a_bounded_cache", Outcome::Passed),
            ("a_lazy_static", Outcome::Passed),
        ] {
            assert_eq!(run.outcome(test), expected, "{stacks}: {}", run.output(test));
        }
    }
}

#[test]
fn the_reports_are_as_the_schema_says() {
    let folder = Folder::new();
    let fixture = Fixture::new("leaks", "repeated");
    fixture
        .run()
        .arg("--test-threads=2")
        .env("LEAK_REPORT_DIR", &folder.path().to_string_lossy())
        .go();
    let reports = folder.reports();
    assert!(reports.len() > 30, "{:?}", reports.keys());
    for (path, report) in &reports {
        assert_eq!(mistake_in(report), None, "{path}: {report:#}");
    }
}
