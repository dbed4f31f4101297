//! Which limit applies to a test, and what a report shows without call stacks.

use leakcheck_tests::{Finished, Fixture, Outcome};
use serde_json::{Value, json};

/// Runs a test of the fixture with settings, and compares its outcome and the source of its limit.
fn check(test: &str, settings: &[(&str, &str)], outcome: Outcome, source: Value) {
    let run = under(test, settings);
    assert_eq!(run.outcome(test), outcome, "{settings:?}: {}", run.stdout());
    let limits = run.report(test).limits.as_ref().expect("a judged test has limits");
    assert_eq!(limits["bytes"]["source"], source, "{settings:?}");
}

fn default() -> Value {
    json!({ "is": "default", "kind": "integration" })
}

fn argument(name: &str) -> Value {
    json!({ "is": "argument", "name": name })
}

fn by(variable: &str) -> Value {
    json!({ "is": "variable", "name": variable })
}

fn under(test: &str, settings: &[(&str, &str)]) -> Finished {
    let run = Fixture::new("leaks", "exclusions").run().only(test);
    settings.iter().fold(run, |run, (name, value)| run.env(name, value)).go()
}

#[test]
fn the_kind_sets_the_default_limit() {
    check("leaks_6_mib", &[], Outcome::Failed, default());
}

#[test]
fn the_variable_of_a_kind_overrides_its_default() {
    let variable = "LEAK_THRESHOLD_MB_INTEGRATION";
    check("leaks_6_mib", &[(variable, "6")], Outcome::Passed, by(variable));
    check("leaks_6_mib", &[(variable, "5.9")], Outcome::Failed, by(variable));
    check("leaks_6_mib", &[("LEAK_THRESHOLD_MB_UNIT", "6")], Outcome::Failed, default());
}

#[test]
fn the_attribute_overrides_the_variable_of_the_kind() {
    let variable = "LEAK_THRESHOLD_MB_INTEGRATION";
    check(
        "leaks_1000_with_a_limit_of_100",
        &[(variable, "1")],
        Outcome::Failed,
        argument("threshold_bytes"),
    );
    check(
        "leaks_1000_with_a_limit_of_1_mib",
        &[(variable, "0")],
        Outcome::Passed,
        argument("threshold_mb"),
    );
}

#[test]
fn the_variable_for_all_kinds_overrides_everything() {
    let variable = "LEAK_THRESHOLD_MB";
    let kind = ("LEAK_THRESHOLD_MB_INTEGRATION", "10");
    check("leaks_6_mib", &[(variable, "1"), kind], Outcome::Failed, by(variable));
    check("leaks_6_mib", &[(variable, "6.0")], Outcome::Passed, by(variable));
    check("leaks_1000_with_a_limit_of_100", &[(variable, "1")], Outcome::Passed, by(variable));
    check("leaks_1000_with_a_limit_of_1_mib", &[(variable, "0")], Outcome::Failed, by(variable));
}

#[test]
fn a_leak_in_warn_mode_is_printed_without_capture() {
    let run = under("leaks_1000_with_a_limit_of_100", &[("LEAK_CHECK", "warn")]);
    assert_eq!(run.outcome("leaks_1000_with_a_limit_of_100"), Outcome::Passed);
    assert!(
        run.stderr()
            .starts_with("leakcheck: `leaks_1000_with_a_limit_of_100` leaked 1,000 B, limit 100 B"),
        "{}",
        run.stderr()
    );
    assert_eq!(run.report("leaks_1000_with_a_limit_of_100").verdict.is, "leaked");
}

#[test]
fn a_disabled_check_prints_nothing() {
    let run = under("leaks_1000_with_a_limit_of_100", &[("LEAK_CHECK", "off")]);
    assert_eq!(run.outcome("leaks_1000_with_a_limit_of_100"), Outcome::Passed);
    assert_eq!(run.stderr(), "");
    assert!(run.reports().is_empty(), "{:?}", run.reports());
}

#[test]
fn the_text_lists_as_many_call_sites_as_top_says() {
    let run = under("leaks_in_three_places", &[("LEAK_TOP", "1")]);
    let said = run.output("leaks_in_three_places");
    assert!(said.contains("  1.  300 B") && !said.contains("  2.  "), "{said}");
    assert!(said.contains("300 B in 2 more call sites"), "{said}");
    assert_eq!(run.report("leaks_in_three_places").call_sites.len(), 3);
}

#[test]
fn without_call_stacks_the_figures_are_the_same() {
    let with = under("leaks_in_three_places", &[]);
    let without = under("leaks_in_three_places", &[("LEAK_STACKS", "off")]);
    assert_eq!(without.outcome("leaks_in_three_places"), Outcome::Failed);
    let said = without.output("leaks_in_three_places");
    let [with, without] = [&with, &without].map(|run| run.report("leaks_in_three_places"));
    assert_eq!(with.figures().retained, without.figures().retained);
    assert_eq!((&*without.call_stacks, without.call_sites.len()), ("off", 0));
    assert_eq!((&*with.call_stacks, with.siteless.blocks), ("full", 0));
    assert_eq!(without.siteless, without.figures().retained);
    assert!(
        said.contains("no call sites, so known noise counts too: `LEAK_STACKS` is `off`"),
        "{said}"
    );
}

#[test]
fn without_call_stacks_known_noise_counts() {
    let run = under("prints_a_thousand_lines", &[("LEAK_STACKS", "off")]);
    assert_eq!(run.outcome("prints_a_thousand_lines"), Outcome::Failed);
    assert!(run.report("prints_a_thousand_lines").suppressed.is_empty());
}
