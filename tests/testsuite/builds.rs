//! In every kind of build, a leak is measured to the byte, and the report has all names that the
//! build contains.

use leakcheck_tests::{Cargo, Folder, Outcome, Suite};
use serde_json::Value;

const SOURCE: &str = include_str!("../fixtures/builds/src/lib.rs");

#[test]
fn a_dev_build_names_functions_and_lines() {
    names_lines(&build(&["--config", "profile.dev.debug='full'"]));
}

#[test]
fn line_tables_are_enough_for_lines() {
    names_lines(&build(&["--config", "profile.dev.debug='line-tables-only'"]));
}

#[test]
fn a_slightly_optimized_build_names_lines() {
    names_lines(&build(&["--config", "profile.dev.opt-level=1"]));
}

#[test]
fn inlined_calls_are_named_in_a_release_with_line_tables() {
    names_lines(&build(&["--release", "--config", "profile.release.debug='line-tables-only'"]));
}

#[test]
fn inlined_calls_are_named_with_link_time_optimization() {
    names_lines(&build(&[
        "--release",
        "--config=profile.release.lto='fat'",
        "--config=profile.release.codegen-units=1",
        "--config=profile.release.panic='abort'",
        "--config=profile.release.debug='line-tables-only'",
    ]));
}

#[test]
fn without_debug_information_functions_are_named_and_the_report_says_why() {
    let suite = build(&["--config", "profile.dev.debug='none'"]);
    names_functions(&suite);
    let report = report(&suite, "leaks_through_inner");
    assert!(functions(&report).any(|function| function == "builds::inner"), "{report:#}");
    assert!(suite.tests.output("tests::leaks_through_inner").contains("builds::inner "));
}

#[test]
fn a_release_names_functions_and_the_report_says_why() {
    names_functions(&build(&["--release"]));
}

#[test]
fn a_stripped_program_has_addresses_and_the_report_says_why() {
    let suite = build(&["--config", "profile.dev.strip='symbols'"]);
    leaks_are_seen(&suite);
    for test in ["leaks_through_inner", "leaks_in_a_thread"] {
        let (report, said) = (report(&suite, test), output(&suite, test));
        assert_eq!(report["symbols"], "addresses", "{report:#}");
        assert_eq!(functions(&report).count(), 0, "{report:#}");
        let body = frames(&report).last().expect("the stack was captured");
        let place = place(body).expect("a frame without a name has an address");
        assert!(place.starts_with("builds-"), "the leak is the program's own: {place}");
        assert!(said.contains(&place), "the test's own frame, {place}, is in the text:\n{said}");
        assert!(
            said.contains("no names, so known noise counts too: the program is stripped"),
            "{said}"
        );
    }
    let two = output(&suite, "leaks_in_two_places");
    assert!(
        two.contains("\n  1.  20 B") && two.contains("\n  2.  10 B"),
        "two call sites look alike:\n{two}"
    );
}

#[test]
fn a_leak_in_a_statically_linked_program_is_found_and_named() {
    let args = ["test", "-p", "settings", "--test", "checks", "--target", &Cargo::host()];
    let cargo = Cargo::new().env("RUSTFLAGS", "-C target-feature=+crt-static").args(&args);
    let suite = cargo.args(&["--", "--skip", "leaks_under_odd_names"]).go();
    assert_eq!(suite.tests.outcome("keeps_nothing"), Outcome::Passed);
    assert_eq!(suite.tests.outcome("keeps_six_megabytes"), Outcome::Failed);
    let report = &suite.folder.reports()["settings/tests/checks/keeps_six_megabytes.json"];
    let figures = &report["figures"]["retained"];
    assert_eq!(*figures, serde_json::json!({ "bytes": 6 << 20, "blocks": 1 }));
    assert!(functions(report).any(|function| function == "settings::keep"), "{report:#}");
}

/// `--cfg leakcheck_compare` walks every stack twice, with the table unwinder and with the platform's.
#[test]
#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
fn the_table_unwinder_finds_the_same_frames_as_the_platform() {
    let folder = Folder::new();
    let file = folder.path().join("compared.txt");
    let suite = Cargo::new()
        .env("RUSTFLAGS", "--cfg leakcheck_compare")
        .env("LEAKCHECK_COMPARED", file.to_str().expect("the path is text"))
        .args(&["test", "-p", "stacks", "--test", "frames"])
        .go();
    let compared = std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("nothing was compared: {error}\n{}", suite.tests.stderr()));
    let count = |what: &str| -> u64 {
        let ends = compared.split(what).filter_map(|text| text.rsplit(' ').next());
        ends.filter_map(|number| number.parse::<u64>().ok()).sum()
    };
    assert!(count(" frames,") > 1_000, "{compared}");
    assert_eq!(count(" differ:"), 0, "{compared}");
}

/// Runs the tests of the fixture, built with these cargo arguments.
fn build(args: &[&str]) -> Suite {
    let suite = Cargo::new().args(&["test", "-p", "builds", "--lib"]).args(args).go();
    assert!(!suite.success, "{}", suite.tests.stdout());
    suite
}

fn leaks_are_seen(suite: &Suite) {
    for (test, bytes, told) in [
        ("leaks_through_inner", 5000, "leaked 4.88 KiB (5,000 bytes)"),
        ("leaks_in_a_thread", 700, "leaked 700 B"),
    ] {
        assert_eq!(outcome(suite, test), Outcome::Failed, "{test}");
        let (report, said) = (report(suite, test), output(suite, test));
        assert!(said.contains(&format!("leakcheck: `tests::{test}` {told}, limit 0 B")), "{said}");
        assert_eq!(report["verdict"]["is"], "leaked");
        assert_eq!(
            report["figures"]["retained"],
            serde_json::json!({ "bytes": bytes, "blocks": 1 })
        );
        assert_eq!(report["call_sites"].as_array().map(Vec::len), Some(1), "{report:#}");
    }
    for test in ["keeps_nothing", "interposed_functions_are_resolved_before_main"] {
        assert_eq!(outcome(suite, test), Outcome::Passed, "{test}");
    }
}

/// Report and text name the leaking line and the line of the test. Nothing is missing.
fn names_lines(suite: &Suite) {
    leaks_are_seen(suite);
    prints(suite);
    for (test, call) in
        [("leaks_through_inner", "inner(5000)"), ("leaks_in_a_thread", "inner(700)")]
    {
        let (report, said) = (report(suite, test), output(suite, test));
        assert_eq!(report["symbols"], "lines");
        for line in [line_of("// The leak."), line_of(call)] {
            let is_it =
                |frame: &&Value| frame["file"] == "builds/src/lib.rs" && frame["line"] == line;
            let frame = frames(&report).find(is_it);
            let frame =
                frame.unwrap_or_else(|| panic!("line {line} is not in the report:\n{report:#}"));
            assert_eq!(frame["class"], "user");
            assert!(said.contains(&format!("   builds/src/lib.rs:{line}\n")), "{said}");
        }
        let leaf =
            said.lines().find(|line| line.starts_with("  1.")).expect("a call site is shown");
        assert!(leaf.contains("inner "), "the user's innermost function comes first: {leaf}");
        // The call in the test has the name of the test, inlined or not.
        let call = format!("builds/src/lib.rs:{}\n", line_of(call));
        let call =
            said.lines().find(|line| format!("{line}\n").ends_with(&call)).expect("it is shown");
        assert!(call.contains(test), "{call}");
        assert!(!said.contains("no line numbers") && !said.contains("no names"), "{said}");
    }
}

/// Functions are named, with their offset in the program, and the report says what is missing. A
/// thread's closure that was inlined into the standard library has no name.
fn names_functions(suite: &Suite) {
    leaks_are_seen(suite);
    prints(suite);
    for test in ["leaks_through_inner", "leaks_in_a_thread"] {
        let (report, said) = (report(suite, test), output(suite, test));
        assert_eq!(report["symbols"], "functions", "{report:#}");
        assert!(frames(&report).all(|frame| frame["function"].is_string()), "{report:#}");
        assert!(frames(&report).all(|frame| place(frame).is_some()), "{report:#}");
        assert!(said.contains("no line numbers: the program has no debug information"), "{said}");
    }
    let own = output(suite, "leaks_through_inner");
    assert!(own.contains("  builds::tests::leaks_through_inner"), "the test is named: {own}");
    let of_thread = report(suite, "leaks_in_a_thread");
    let shown = output(suite, "leaks_in_a_thread");
    let leaf = frames(&of_thread).filter_map(place).find(|place| shown.contains(place));
    assert!(
        leaf.is_some_and(|place| place.starts_with("builds-")),
        "it has a place in the program: {shown}"
    );
}

/// The memory of libtest for captured output is recognized by function names, inlined or not.
fn prints(suite: &Suite) {
    assert_eq!(outcome(suite, "prints"), Outcome::Passed, "{}", output(suite, "prints"));
}

fn outcome(suite: &Suite, test: &str) -> Outcome {
    suite.tests.outcome(&format!("tests::{test}"))
}

fn output<'a>(suite: &'a Suite, test: &str) -> &'a str {
    suite.tests.output(&format!("tests::{test}"))
}

fn report(suite: &Suite, test: &str) -> Value {
    let mut reports = suite.folder.reports();
    reports.remove(&format!("builds/tests__{test}.json")).expect("there is a report")
}

fn frames(report: &Value) -> impl DoubleEndedIterator<Item = &Value> {
    let sites = report["call_sites"].as_array().expect("a list of call sites");
    sites.iter().flat_map(|site| site["frames"].as_array().expect("a list of frames"))
}

fn functions(report: &Value) -> impl Iterator<Item = &str> {
    frames(report).filter_map(|frame| frame["function"].as_str())
}

fn place(frame: &Value) -> Option<String> {
    Some(format!("{} + {:#x}", frame["module"].as_str()?, frame["offset"].as_u64()?))
}

fn line_of(marker: &str) -> usize {
    let line = SOURCE.lines().position(|line| line.contains(marker));
    line.expect("the line is there") + 1
}
