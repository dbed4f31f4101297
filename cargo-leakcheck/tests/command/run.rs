//! Runs `cargo leakcheck` in projects as a user does.

use crate::support::exit::{
    BLIND, BUILD_FAILED, CLEAN, LEAKS, NOTHING_CHECKED, TESTS_FAILED, USAGE,
};
use crate::support::project::Project;
use crate::support::shop::{status, visit, visit_for_json};

#[test]
fn a_clean_suite_has_a_row_for_every_test() {
    let (said, run) = visit_for_json("", &[], CLEAN);
    for (id, expected) in [
        ("cart::tests::is_clean", "passed"),
        ("cart::tests::may_leak", "passed"),
        ("cart/tests/api::is_an_integration_test", "passed"),
        ("till::tests::keeps_little", "passed"),
        ("till::tests::is_skipped", "skipped"),
        ("till::tests::is_ignored", "ignored"),
    ] {
        assert_eq!(status(&run, id), expected, "{id}");
        assert!(said.row(id).contains(expected), "{}", said.stdout);
    }
    assert!(said.stdout.contains("counts in the background"), "{}", said.stdout);
    assert!(said.row("till::tests::keeps_little").contains("1,000 B"), "{}", said.stdout);
    assert!(said.stdout.contains("11 tests: 1 skipped, 1 ignored, 9 passed"), "{}", said.stdout);
    let heads = said.stdout.lines().next().unwrap().split("  ").map(str::trim);
    let heads: Vec<&str> = heads.filter(|head| !head.is_empty()).collect();
    let all = ["test", "verdict", "net growth", "limit", "peak", "churn", "time"];
    assert_eq!(heads, all, "{}", said.stdout);
}

#[test]
fn a_leak_is_the_first_row_with_the_line_that_allocates() {
    let (said, run) = visit_for_json("leak", &[], LEAKS);
    assert_eq!(status(&run, "cart::tests::may_leak"), "leaked");
    assert_eq!(status(&run, "cart/tests/api::is_an_integration_test"), "passed", "3 of 5 MB");
    let rows: Vec<&str> = said.stdout.lines().collect();
    assert!(rows[1].starts_with("cart::tests::may_leak"), "{}", said.stdout);
    assert!(
        rows[2].contains("3.00 MiB") && rows[2].contains("cart::keep  cart/src/lib.rs:3"),
        "{}",
        said.stdout
    );
}

#[test]
fn top_sets_the_number_of_listed_call_sites() {
    let sites = |args: &[&str]| {
        let args = [&["-p", "cart", "--lib"], args].concat();
        let said = visit("leak,leak_elsewhere", &args).ends_with(LEAKS).stdout;
        (
            said.contains("cart::keep"),
            said.contains("cart::lose"),
            said.contains("1 more call site"),
        )
    };
    assert_eq!(sites(&[]), (true, true, false));
    assert_eq!(sites(&["--top", "1"]), (true, false, true), "the largest");
}

#[test]
fn checks_by_attribute_and_by_check_all_are_judged_alike() {
    let (_, run) = visit_for_json("leak,till", &[], LEAKS);
    assert_eq!(status(&run, "till::tests::has_a_limit_of_its_own"), "leaked");
    assert_eq!(status(&run, "cart::tests::may_leak"), "leaked");
}

#[test]
fn one_test_at_a_time_is_judged_alike() {
    let (_, run) =
        visit_for_json("leak", &["-p", "cart", "--lib", "--", "--test-threads=1"], LEAKS);
    assert_eq!(status(&run, "cart::tests::may_leak"), "leaked");
    assert_eq!(status(&run, "cart::tests::is_clean"), "passed");
    assert_eq!(run["tests"].as_array().unwrap().len(), 6, "only the library of cart: {run:#}");
}

#[test]
fn nextest_is_judged_alike() {
    let (said, run) = visit_for_json("leak,till,bad_name", &["--runner", "nextest"], LEAKS);
    // A check inside another one has test scope.
    assert_eq!(status(&run, "cart::tests::may_have_a_bad_name"), "passed", "{}", said.stdout);
    assert_eq!(status(&run, "till::tests::has_a_limit_of_its_own"), "leaked");
    assert_eq!(status(&run, "cart::tests::may_leak"), "leaked");
    assert_eq!(status(&run, "cart/tests/api::is_an_integration_test"), "passed");
    assert_eq!(run["meta"]["runner"], "cargo nextest", "{}", said.stdout);
}

#[test]
fn a_limit_on_the_command_line_applies_to_every_test() {
    let said = visit("", &["--threshold-mb", "0", "-p", "till"]).ends_with(LEAKS);
    assert!(said.row("tests::keeps_little").contains("leaked"), "{}", said.stdout);
    visit("leak,till", &["--threshold-mb", "100"]).ends_with(CLEAN);
    let said = visit("", &["--threshold-mb", "much"]).ends_with(USAGE);
    assert!(said.stderr.contains("expected a number of MiB"), "{}", said.stderr);
}

#[test]
fn leaks_can_be_reported_without_failing() {
    let said = visit("leak", &["--warn-only"]).ends_with(CLEAN);
    assert!(said.row("cart::tests::may_leak").contains("leaked"), "{}", said.stdout);
}

#[test]
fn tests_can_be_skipped() {
    let said = visit("leak", &["--skip", "*may_leak"]).ends_with(CLEAN);
    assert!(said.row("cart::tests::may_leak").contains("skipped"), "{}", said.stdout);
    assert!(said.stdout.contains("--skip has `*may_leak`"), "{}", said.stdout);
    let said = visit("leak", &["--skip", "*"]).ends_with(NOTHING_CHECKED);
    assert!(said.stderr.contains("every check was skipped"), "{}", said.stderr);
}

#[test]
fn a_failing_test_fails_as_itself() {
    let (said, run) = visit_for_json("fail", &[], TESTS_FAILED);
    assert_eq!(status(&run, "cart::tests::may_fail"), "failed");
    assert!(
        said.stderr.contains("the cart is broken"),
        "what libtest says is shown: {}",
        said.stderr
    );
    let (_, run) = visit_for_json("fail,leak", &[], LEAKS);
    assert_eq!(status(&run, "cart::tests::may_fail"), "failed");
    assert_eq!(status(&run, "cart::tests::may_leak"), "leaked");
}

#[test]
fn unchecked_tests_do_not_count_as_clean() {
    let app =
        Project::app("", "#[test]\nfn leaks_unseen() { std::mem::forget(vec![0_u8; 3 << 20]) }\n");
    let said = app.run(&[]).ends_with(NOTHING_CHECKED);
    assert!(said.row("leaks_unseen").contains("unchecked"), "{}", said.stdout);
    assert!(said.stderr.contains("1 test ran and none is checked"), "{}", said.stderr);
    assert!(said.stderr.contains("leakcheck::check_all!();"), "{}", said.stderr);
    app.folder().write("src/lib.rs", "");
    for runner in ["cargo", "nextest"] {
        let said = app.run(&["--runner", runner]).ends_with(NOTHING_CHECKED);
        assert!(said.stderr.contains("no test ran"), "{}", said.stderr);
    }
    app.folder().write("src/lib.rs", "fn f( {}");
    for runner in ["cargo", "nextest"] {
        app.run(&["--runner", runner]).ends_with(BUILD_FAILED);
    }
}

#[test]
fn a_blind_check_does_not_count_as_clean() {
    let blind = |library: &str| {
        Project::new(&[
            (
                "Cargo.toml",
                "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dev-dependencies]\nleakcheck = { path = \
                 \"$LEAKCHECK\", default-features = false, features = [\"threads\"] }\n\n[workspace]\n",
            ),
            ("src/lib.rs", library),
        ])
    };
    let said = blind("#[cfg(test)]\n#[leakcheck::leak_check]\n#[test]\nfn checks() {}\n")
        .run(&[])
        .ends_with(BLIND);
    assert!(said.row("checks").contains("blind"), "{}", said.stdout);
    let said = blind("#[cfg(test)]\nleakcheck::check_all!();\n#[test]\nfn checks() {}\n")
        .run(&[])
        .ends_with(BLIND);
    assert!(
        said.stdout.contains("the counting allocator is not installed"),
        "{}\n{}",
        said.stdout,
        said.stderr
    );
}
