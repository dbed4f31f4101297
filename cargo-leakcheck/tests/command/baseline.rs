//! `cargo leakcheck baseline`, and runs that are held against one.

use serde_json::Value;

use crate::support::Folder;
use crate::support::exit::{CLEAN, INCOMPLETE, LEAKS, STALE_BASELINE, UNUSABLE};
use crate::support::shop::visit;

#[test]
fn what_is_known_no_longer_fails_and_what_is_new_does() {
    let folder = Folder::new();
    let baseline = folder.path().join("base.json");
    let baseline = format!("--baseline={}", baseline.display());
    let only = ["-p", "cart", "--lib", baseline.as_str()];
    let with = |args: &[&'static str]| -> Vec<&str> { args.iter().copied().chain(only).collect() };

    let said = visit("", &only).ends_with(UNUSABLE);
    assert!(said.stderr.contains("there is no baseline"), "{}", said.stderr);
    let said = visit("leak", &with(&["baseline"])).ends_with(CLEAN);
    assert!(said.stdout.contains("with 1 known leak"), "{}", said.stdout);
    let text = folder.read("base.json");
    assert!(
        text.contains("\"at\": \"cart::keep\"") && !text.contains(".rs"),
        "functions, no lines: {text}"
    );

    let said = visit("leak", &only).ends_with(CLEAN);
    assert!(said.row("tests::may_leak").contains("known leak"), "{}", said.stdout);
    assert!(said.stdout.contains("(known)"), "{}", said.stdout);

    // Another function of the same test.
    let said = visit("leak,leak_elsewhere", &only).ends_with(LEAKS);
    assert!(said.row("tests::may_leak").contains("leaked"), "{}", said.stdout);
    let (new, known) = (said.stdout.find("cart::lose"), said.stdout.find("cart::keep"));
    assert!(new < known, "the new one first: {}", said.stdout);

    // The same function, and more of it.
    let said = visit("leak,leak_more", &only).ends_with(LEAKS);
    assert!(said.row("tests::may_leak").contains("regressed"), "{}", said.stdout);
    assert!(
        said.stdout.contains("net growth was 3.00 MB, is 8.00 MB"),
        "both figures: {}",
        said.stdout
    );
    let said = visit("leak,peak", &only).ends_with(LEAKS);
    assert!(
        said.stdout.contains("peak was 3.0") && said.stdout.contains("churn was 3.0"),
        "{}",
        said.stdout
    );

    // What is gone has to be taken out, and then may not come back.
    let said = visit("", &only).ends_with(STALE_BASELINE);
    assert!(
        said.stdout.contains("fixed: cart::tests::may_leak no longer leaks at cart::keep"),
        "{}",
        said.stdout
    );
    assert!(said.stdout.contains("cargo leakcheck baseline --update"), "{}", said.stdout);
    visit("", &with(&["baseline", "--update"])).ends_with(CLEAN);
    visit("", &only).ends_with(CLEAN);
    visit("leak", &only).ends_with(LEAKS);
    visit("leak", &with(&["baseline", "--update"])).ends_with(CLEAN);
    visit("leak", &only).ends_with(LEAKS);
}

#[test]
fn a_baseline_is_sorted_and_the_same_every_time() {
    let folder = Folder::new();
    let write = |name: &str| {
        let baseline = format!("--baseline={}", folder.path().join(name).display());
        visit("leak", &["baseline", &baseline]).ends_with(CLEAN);
        folder.read(name)
    };
    let text = write("a.json");
    let baseline: Value = serde_json::from_str(&text).unwrap();
    let names: Vec<&String> = baseline["tests"].as_object().unwrap().keys().collect();
    assert!(names.is_sorted() && names.len() > 5, "{names:?}");
    let lines = |text: &str| text.lines().filter(|line| line.contains("\"at\"")).count();
    assert_eq!(lines(&text), lines(&write("b.json")));
}

#[test]
fn a_baseline_that_cannot_be_read_is_said_before_anything_runs() {
    let folder = Folder::new();
    for (text, expected) in [
        ("{\n<<<<<<< ours\n", "has conflict markers in line 2"),
        ("{ \"schema\": 7 }", "has schema 7, and this cargo-leakcheck knows schemas up to 1"),
        ("{ \"schema\": 1, \"tests\":", "cannot be read: EOF"),
    ] {
        let baseline = format!("--baseline={}", folder.write("base.json", text).display());
        for args in [&[baseline.as_str()][..], &["baseline", &baseline]] {
            let said = visit("abort", args).ends_with(UNUSABLE);
            assert!(said.stderr.contains(expected), "{}", said.stderr);
        }
        assert_eq!(folder.read("base.json"), text, "it is left alone");
    }
}

#[test]
fn a_run_that_is_not_whole_is_no_baseline() {
    let folder = Folder::new();
    let baseline = format!("--baseline={}", folder.path().join("base.json").display());
    let said = visit("abort", &["baseline", &baseline, "--runner", "cargo"]).ends_with(INCOMPLETE);
    assert!(said.stderr.contains("no baseline is written"), "{}", said.stderr);
    assert!(!folder.path().join("base.json").exists());
}
