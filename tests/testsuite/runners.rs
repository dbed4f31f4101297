//! Every runner finds the same leaks: `cargo test`, with any arguments, and nextest.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use leakcheck_tests::{Cargo, Outcome, Suite};
use serde_json::{Value, json};

const THREE_MB: u64 = 3 << 20;

#[test]
fn unit_tests_may_keep_1_mib() {
    let suite = cargo_test(&["-p", "runners", "--lib"]);
    unit_tests_are_judged(&suite);
    let report = report(&suite, "runners/tests__keeps_three_megabytes.json");
    assert_eq!(
        (&report["test"]["kind"], &report["test"]["scope"]),
        (&json!("unit"), &json!("test"))
    );
    assert_eq!(
        report["limits"]["bytes"],
        json!({ "value": 1 << 20, "source": { "is": "default", "kind": "unit" } })
    );
}

#[test]
fn memory_of_a_pool_belongs_to_no_test() {
    let suite = cargo_test(&["-p", "runners", "--test", "pool"]);
    assert_eq!(suite.tests.outcome("leaks_on_a_pool_thread"), Outcome::Passed);
    let reports = suite.folder.reports();
    let pool = named(&reports, "a pool's leak");
    assert_eq!(
        pool["figures"]["unattributed"]["bytes"].as_u64().map(|bytes| bytes >= 300),
        Some(true),
        "{pool:#}"
    );
}

#[test]
fn integration_tests_may_keep_5_mib() {
    let suite = cargo_test(&["-p", "runners", "--test", "api"]);
    assert_eq!(suite.tests.outcome("keeps_three_megabytes"), Outcome::Passed);
    assert_eq!(suite.tests.outcome("keeps_six_megabytes"), Outcome::Failed);
    let report = report(&suite, "runners/tests/api/keeps_six_megabytes.json");
    assert_eq!(report["test"]["kind"], "integration");
    assert_eq!(
        report["limits"]["bytes"],
        json!({ "value": 5 << 20, "source": { "is": "default", "kind": "integration" } })
    );
}

#[test]
fn one_test_at_a_time_is_judged_the_same() {
    unit_tests_are_judged(&cargo_test(&["-p", "runners", "--lib", "--", "--test-threads=1"]));
}

#[test]
fn a_release_build_is_judged_the_same() {
    unit_tests_are_judged(&cargo_test(&["-p", "runners", "--lib", "--release"]));
}

#[test]
fn checks_of_process_scope_are_not_disturbed_by_other_tests() {
    for round in 0..10 {
        let suite = cargo_test(&["-p", "runners", "--lib", "--", "--test-threads=8"]);
        let said = suite.tests.stdout();
        let leaky = "tests::leaks_in_the_whole_process";
        assert_eq!(suite.tests.outcome(leaky), Outcome::Failed, "round {round}:\n{said}");
        assert_eq!(
            retained(&report(&suite, "runners/tests__leaks_in_the_whole_process.json")),
            200
        );
        let clean = "tests::keeps_nothing_in_the_whole_process";
        assert_eq!(suite.tests.outcome(clean), Outcome::Passed, "round {round}:\n{said}");
        assert_eq!(suite.tests.outcome("tests::keeps_three_megabytes"), Outcome::Failed);
    }
}

#[test]
fn the_tests_of_a_program_are_checked() {
    let suite = cargo_test(&["-p", "runners", "--bin", "runners"]);
    assert_eq!(suite.tests.outcome("tests::leaks_in_a_program"), Outcome::Failed);
    assert_eq!(suite.tests.outcome("tests::keeps_nothing"), Outcome::Passed);
    let report = report(&suite, "runners/bin/runners/tests__leaks_in_a_program.json");
    assert_eq!((&report["test"]["binary"], retained(&report)), (&json!("runners"), 400));
}

#[test]
fn a_custom_harness_can_use_checks() {
    let suite = cargo_test(&["-p", "runners", "--test", "custom_harness"]);
    assert!(!suite.success);
    let said = suite.tests.stderr();
    assert!(said.contains("leakcheck: `the harness leaks` leaked 500 B, limit 0 B"), "{said}");
    assert_eq!(verdict(&suite, "the harness leaks"), "leaked");
    assert_eq!(verdict(&suite, "the harness keeps nothing"), "passed");
}

#[test]
fn doctests_can_use_checks() {
    let suite = cargo_test(&["-p", "runners", "--doc"]);
    let outcomes: Vec<Outcome> = suite.tests.outcomes().values().copied().collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Failed).count(), 1);
    assert_eq!(outcomes.len(), 2, "{}", suite.tests.stdout());
    assert_eq!(verdict(&suite, "the example leaks"), "leaked");
    assert_eq!(verdict(&suite, "the example keeps nothing"), "passed");
    let files = suite.folder.files();
    assert!(
        files.iter().all(|file| file.starts_with("runners/rust_out/the_example_")),
        "{files:?}"
    );
}

/// The programs of doctests are built in a temporary directory outside of the target directory.
#[test]
fn reports_go_to_the_target_directory() {
    for target in ["--lib", "--bins", "--doc"] {
        let suite = Cargo::new()
            .env_remove("LEAK_REPORT_DIR")
            .args(&["test", "-p", "runners", target])
            .go();
        let said = suite.tests.stdout();
        let told = said.lines().find_map(|line| line.trim().strip_prefix("full report: "));
        // A relative path is resolved from the package, where cargo runs its tests.
        let told =
            Cargo::workspace().join("runners").join(told.unwrap_or_else(|| panic!("{said}")));
        assert!(
            told.starts_with(Cargo::target().join("leakcheck")),
            "{target}: {}",
            told.display()
        );
        assert!(Path::new(&told).is_file(), "{target}: {}", told.display());
    }
}

#[test]
fn tests_of_the_same_name_in_two_packages_have_separate_reports() {
    let suite = cargo_test(&["-p", "runners", "-p", "twin", "--lib"]);
    let kept = |package: &str| {
        retained(&report(&suite, &format!("{package}/tests__keeps_three_megabytes.json")))
    };
    assert_eq!((kept("runners"), kept("twin")), (THREE_MB, THREE_MB + 1));
}

#[test]
fn a_library_and_a_test_target_of_the_same_name_have_separate_reports() {
    let suite = cargo_test(&["-p", "twin"]);
    let reports = suite.folder.reports();
    let name = |report: &&Value| report["test"]["name"] == "tests::keeps_three_megabytes";
    let mut kept: Vec<u64> = reports.values().filter(name).map(retained).collect();
    kept.sort_unstable();
    assert_eq!(kept, [THREE_MB + 1, THREE_MB + 2]);
}

#[test]
fn nextest_watches_the_whole_process() {
    let Some(suite) = nextest(&["-p", "runners", "-p", "twin"]) else { return };
    assert!(!suite.success);
    for (test, passes) in [
        ("runners tests::keeps_nothing", true),
        ("runners tests::keeps_nothing_in_the_whole_process", true),
        ("runners tests::keeps_three_megabytes", false),
        ("runners tests::leaks_in_the_whole_process", false),
        ("runners::pool leaks_on_a_pool_thread", false),
        ("runners tests::prints", true),
        ("runners::api keeps_six_megabytes", false),
        ("runners::api keeps_three_megabytes", true),
        ("runners::bin/runners tests::keeps_nothing", true),
        ("runners::bin/runners tests::leaks_in_a_program", false),
        ("runners::custom_harness checks", false),
        ("twin tests::keeps_nothing", true),
        ("twin tests::keeps_three_megabytes", false),
        ("twin::twin tests::keeps_three_megabytes", false),
    ] {
        assert_eq!(
            passes_in_nextest(&suite, test),
            Some(passes),
            "`{test}`:\n{}",
            suite.tests.stderr()
        );
    }
    let reports = suite.folder.reports();
    assert!(reports.values().all(|report| report["test"]["scope"] == "process"), "{reports:#?}");
    let pool = named(&reports, "a pool's leak");
    assert_eq!(pool["call_sites"][0]["bytes"], 300);
    assert!(pool["call_sites"][0]["frames"].to_string().contains("runners::keep"), "{pool:#}");
}

/// In its own process, only the test allocates. How the runner handles its output has no effect.
#[test]
fn under_nextest_a_limit_of_0_holds_in_every_run() {
    for _ in 0..5 {
        let Some(suite) = nextest(&["-p", "runners", "-E", "test(/keeps_nothing|prints/)"]) else {
            return;
        };
        assert!(suite.success, "{}", suite.tests.stderr());
        assert_eq!(suite.folder.reports().len(), 4);
    }
}

fn cargo_test(args: &[&str]) -> Suite {
    Cargo::new().args(&["test", "--no-fail-fast"]).args(args).go()
}

/// Runs tests with nextest, if it is installed.
fn nextest(args: &[&str]) -> Option<Suite> {
    if !Cargo::new().args(&["nextest", "--version"]).go().success {
        assert!(std::env::var_os("CI").is_none(), "CI has to install cargo-nextest");
        _ = writeln!(std::io::stderr(), "SKIPPED: there is no cargo-nextest on this machine");
        return None;
    }
    Some(Cargo::new().args(&["nextest", "run", "--no-fail-fast"]).args(args).go())
}

/// The line of a test: `PASS [   0.008s] ( 1/13) runners tests::prints`.
fn passes_in_nextest(suite: &Suite, test: &str) -> Option<bool> {
    let lines = suite.tests.stderr().lines().map(str::trim);
    let mut ours = lines.filter(|line| line.ends_with(&format!(") {test}")));
    ours.find_map(|line| match line.split(' ').next() {
        Some("PASS") => Some(true),
        Some("FAIL") => Some(false),
        _ => None,
    })
}

fn unit_tests_are_judged(suite: &Suite) {
    assert!(!suite.success);
    for (test, outcome) in [
        ("keeps_three_megabytes", Outcome::Failed),
        ("keeps_nothing", Outcome::Passed),
        ("keeps_nothing_in_the_whole_process", Outcome::Passed),
        ("leaks_in_the_whole_process", Outcome::Failed),
        ("prints", Outcome::Passed),
    ] {
        let test = format!("tests::{test}");
        assert_eq!(suite.tests.outcome(&test), outcome, "`{test}`:\n{}", suite.tests.stdout());
    }
    assert_eq!(retained(&report(suite, "runners/tests__keeps_three_megabytes.json")), THREE_MB);
}

#[track_caller]
fn report(suite: &Suite, path: &str) -> Value {
    let mut reports = suite.folder.reports();
    reports.remove(path).unwrap_or_else(|| panic!("no `{path}` among {:?}", reports.keys()))
}

/// The verdict on a check with a name of its own.
fn verdict(suite: &Suite, name: &str) -> Value {
    named(&suite.folder.reports(), name)["verdict"]["is"].clone()
}

#[track_caller]
fn named<'a>(reports: &'a BTreeMap<String, Value>, name: &str) -> &'a Value {
    let report = reports.values().find(|report| report["test"]["name"] == name);
    report.unwrap_or_else(|| panic!("no report on `{name}`"))
}

fn retained(report: &Value) -> u64 {
    report["figures"]["retained"]["bytes"].as_u64().expect("a figure")
}
