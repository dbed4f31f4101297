//! Live bytes over time are recorded on request, and the recording thread changes no figure.
#![cfg(target_os = "linux")]

use leakcheck_tests::{Finished, Fixture, Outcome, Report, Run, mistake_in};
use serde_json::{Value, json};

const MB: u64 = 1 << 20;
const TIMELINE: Fixture = Fixture::new("leaks", "timeline");

/// Runs one test of the fixture with a timeline.
#[track_caller]
fn recorded(test: &str) -> Finished {
    TIMELINE.run().only(test).env("LEAK_TIMELINE", "on").threads(1).go()
}

/// The bytes of a check's readings.
#[track_caller]
fn bytes(report: &Report) -> Vec<u64> {
    let timeline = &report.json["timeline"];
    assert_eq!(mistake_in(&report.json), None, "{:#}", report.json);
    let numbers = |list: &Value| -> Vec<f64> {
        let list = list.as_array().unwrap_or_else(|| panic!("no list: {timeline:#}"));
        list.iter().map(|number| number.as_f64().expect("a number")).collect()
    };
    let (ms, bytes) = (numbers(&timeline["ms"]), numbers(&timeline["bytes"]));
    assert_eq!(ms.len(), bytes.len());
    assert!(ms.is_sorted() && ms[0] == 0.0, "{ms:?}");
    assert!(*ms.last().unwrap() >= report.number("/figures/elapsed_us").unwrap() as f64 / 1e3);
    let bytes: Vec<u64> = bytes.into_iter().map(|bytes| bytes as u64).collect();
    let figures = report.figures();
    assert_eq!(bytes[0], 0);
    assert_eq!(*bytes.last().unwrap(), figures.retained.bytes);
    assert_eq!(*bytes.iter().max().unwrap(), figures.peak_bytes);
    bytes
}

#[test]
fn live_bytes_are_recorded_while_a_check_is_open() {
    let run = recorded("rises_and_falls");
    assert_eq!(run.outcome("rises_and_falls"), Outcome::Passed, "{}", run.stdout());
    let bytes = bytes(run.report("rises and falls"));
    let mut rest = bytes.iter();
    for level in [3 * MB, MB, 2 * MB, 500] {
        assert!(rest.any(|bytes| *bytes == level), "{level} in its turn: {bytes:?}");
    }
}

#[test]
fn a_peak_that_came_and_went_between_two_readings_is_recorded() {
    let run = recorded("peaks_between_two_readings");
    let bytes = bytes(run.report("peaks"));
    let peak = bytes.iter().position(|bytes| *bytes == 8 * MB).expect("the peak");
    assert!(bytes[peak..].contains(&MB), "before what came later: {bytes:?}");
}

#[test]
fn a_check_that_is_over_at_once_has_its_beginning_its_peak_and_its_end() {
    let run = recorded("is_over_at_once");
    assert_eq!(run.outcome("is_over_at_once"), Outcome::Failed);
    let bytes = bytes(run.report("is_over_at_once"));
    assert_eq!((bytes[0], *bytes.last().unwrap()), (0, 300));
    assert!(bytes.contains(&700), "{bytes:?}");
}

#[test]
fn a_body_that_fails_has_a_timeline_too() {
    let run = recorded("panics_halfway");
    assert_eq!(run.report("panics_halfway").verdict.is, "not_judged");
    bytes(run.report("panics_halfway"));
}

#[test]
fn checks_that_are_open_at_once_are_recorded_each_for_itself() {
    let run = recorded("three_at_a_time");
    assert_eq!(run.outcome("three_at_a_time"), Outcome::Passed, "{}", run.stdout());
    let of = |check: &str| bytes(run.report(check));
    assert!(of("outer").contains(&(3 * MB)) && of("inner").contains(&(2 * MB)));
    assert!(!of("inner").contains(&(3 * MB)));
    assert_eq!(of("after").iter().max(), Some(&0));
}

#[test]
fn a_repetition_is_recorded_as_a_whole() {
    let bytes = bytes(recorded("is_repeated").report("is repeated"));
    assert_eq!(bytes.last(), Some(&(32 * 1000)), "a warm-up of 2 calls, and 30");
}

#[test]
fn the_child_of_a_fork_records_its_own_checks_and_no_other() {
    let run = recorded("is_forked_halfway");
    assert_eq!(run.outcome("is_forked_halfway"), Outcome::Passed, "{}", run.stdout());
    assert!(bytes(run.report("child")).contains(&(4 * MB)));
    assert!(bytes(run.report("parent")).contains(&MB));
    let run = recorded("ends_in_a_fork");
    assert_eq!(run.outcome("ends_in_a_fork"), Outcome::Passed, "{}", run.stdout());
    bytes(run.report("ends in a fork"));
}

#[test]
fn what_could_not_be_recorded_is_said() {
    let run = recorded("has_no_memory_for_a_thread");
    assert_eq!(run.outcome("has_no_memory_for_a_thread"), Outcome::Passed, "{}", run.stdout());
    let json = &run.report("without a recorder").json;
    let why = json["timeline_unknown"].as_str().expect("a reason");
    assert!(why.starts_with("cannot start a thread: "), "{why}");
    assert_eq!(json.get("timeline"), None);
    assert_eq!(mistake_in(json), None, "{json:#}");
    let told = format!("leakcheck: live bytes over time are not recorded: {why}\n");
    assert_eq!(run.stderr(), told, "once in a process");
    bytes(run.report("with a recorder"));
}

#[test]
fn nothing_is_recorded_where_nobody_asks() {
    let test = "no_thread_of_leakcheck_runs";
    for run in [TIMELINE.run(), TIMELINE.run().env("LEAK_TIMELINE", "off")] {
        let run = run.only(test).go();
        assert_eq!(run.outcome(test), Outcome::Passed, "{}", run.stdout());
        let json = &run.report("without").json;
        assert_eq!((json.get("timeline"), json.get("timeline_unknown")), (None, None));
    }
    // The thread is visible with a timeline.
    assert_eq!(recorded(test).outcome(test), Outcome::Failed);
}

#[test]
fn every_test_of_a_program_is_recorded() {
    for threads in [1, 4] {
        let suite = Fixture::unit_tests("suite").run().threads(threads);
        let run = suite.env("LEAK_TIMELINE", "on").go();
        assert!(run.reports().len() >= 9, "{}", run.stdout());
        for report in run.reports().values().filter(|report| report.figures.is_some()) {
            bytes(report);
        }
    }
}

/// The results of a program with and without `LEAK_TIMELINE`.
#[track_caller]
fn check_same(run: impl Fn() -> Run) {
    let [without, with] = ["off", "on"].map(|timeline| run().env("LEAK_TIMELINE", timeline).go());
    assert!(!with.outcomes().is_empty(), "{}", with.stdout());
    assert_eq!(with.outcomes(), without.outcomes(), "{}", with.stdout());
    let names = |run: &Finished| run.reports().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&with), names(&without));
    for (check, report) in with.reports() {
        assert_eq!(comparable(report), comparable(without.report(check)), "`{check}`");
    }
}

/// Runs the tests of a fixture one after the other, except those that wait for a parallel one.
fn alone(fixture: Fixture) -> Run {
    fixture
        .run()
        .threads(1)
        .arg("--skip")
        .arg("in_parallel")
        .arg("--skip")
        .arg("many_later_regions")
}

/// The results that the recording thread must not change.
fn comparable(report: &Report) -> Value {
    let json = &report.json;
    json!({
        "verdict": json["verdict"]["is"],
        "judged": json["judged"],
        "retained": json["figures"]["retained"],
        "unattributed": json["figures"]["unattributed"],
        "threads": json["threads"],
        "fds": json["figures"]["fds"],
        "children": json["figures"]["children"],
        "unjudged": json["unjudged"],
    })
}

#[test]
fn the_recorder_is_no_thread_of_a_test_and_leaves_nothing_behind() {
    let leaks = |target| Fixture::new("leaks", target);
    check_same(|| alone(leaks("running")));
    check_same(|| alone(leaks("process_scope")));
    // The owner of a descriptor without a record depends on the threads that exist.
    check_same(|| alone(leaks("fds")).arg("without_a_hook"));
    check_same(|| alone(leaks("fds").with_features("install")).arg("leaves_a_file"));
}

#[test]
fn the_recorder_is_in_no_figure_of_a_whole_process() {
    let nextest = |run: Run| run.env("NEXTEST_EXECUTION_MODE", "process-per-test");
    check_same(|| nextest(alone(Fixture::new("leaks", "running"))));
    check_same(|| nextest(alone(Fixture::new("leaks", "fds")).arg("without_a_hook")));
}

#[test]
fn the_recorder_holds_nothing() {
    let run = Fixture::new("holders", "reachability").run().threads(4).env("LEAK_HOLDERS", "on");
    let run = run.env("LEAK_TIMELINE", "on").go();
    for test in ["in_a_cycle_of_many", "a_leaked_tree"] {
        let report = run.report(test);
        let holders = || report.call_sites.iter().flat_map(|site| &site.holders);
        assert!(holders().next().is_some(), "{report:#?}");
        assert!(holders().all(|holder| holder.class.contains("lost")), "{report:#?}");
    }
    let reports = run.reports().values();
    let holders = reports.flat_map(|report| &report.call_sites).flat_map(|site| &site.holders);
    assert_eq!(holders.filter(|holder| holder.path.contains("`leakcheck`")).count(), 0);
}
