use super::*;
use std::collections::BTreeSet;
use std::fs;

const BYTES: Expected = Expected::Leaks { krate: "bytes", holder: None };

#[test]
fn a_leak_with_a_frame_of_the_crate_is_ok() {
    let report =
        "leakcheck: `drops` leaked 1 B\n\n  1.  1 B  bytes::owned_to_vec  src/bytes.rs:1\n";
    assert_eq!(judge(BYTES, false, report), Ok("leaks"));
}

#[test]
fn a_leak_with_a_frame_of_the_trigger_is_ok() {
    let report = "leakcheck: `drops` leaked 1 B\n\n  1.  1 B  case::trigger  src/lib.rs:6\n";
    assert_eq!(judge(BYTES, false, report), Ok("leaks"));
}

#[test]
fn a_leak_without_a_frame_of_the_case_is_not() {
    let report = "bytes::before\nleakcheck: `drops` leaked 1 B\n\n  1.  1 B  std::thread::spawn\n";
    let why = judge(BYTES, false, report).unwrap_err();
    assert_eq!(why, "names neither `bytes` nor `case::trigger`");
}

#[test]
fn a_leak_whose_holder_is_not_named_is_not() {
    let expected =
        Expected::Leaks { krate: "bytes", holder: Some("kept alive by static A → here") };
    let report =
        |held: &str| format!("leakcheck: `drops` leaked 1 B\n 1. 1 B bytes::new\n  {held}");
    assert_eq!(judge(expected, false, &report("kept alive by  static A\n   → here")), Ok("leaks"));
    let why = judge(expected, false, &report("lost  nothing points to it")).unwrap_err();
    assert_eq!(why, "does not say `kept alive by static A → here`");
}

#[test]
fn a_failure_without_a_report_is_no_leak() {
    let why = judge(BYTES, false, "error: could not compile `bytes`").unwrap_err();
    assert_eq!(why, "should leak, but fails without saying so");
}

#[test]
fn a_leak_must_fail() {
    let why = judge(BYTES, true, "test result: ok. 1 passed").unwrap_err();
    assert_eq!(why, "should leak, but passes");
}

#[test]
fn a_test_that_was_not_run_does_not_pass() {
    let why = judge(Expected::Passes, true, "test result: ok. 0 passed").unwrap_err();
    assert_eq!(why, "ran no test");
}

#[test]
fn an_unknown_case_is_told_the_known_ones() {
    let why = select(&["lru".to_owned()]).err().unwrap();
    assert!(why.starts_with("unknown case `lru`; there are:"), "{why}");
    assert!(why.contains("\n  lru-clear\n"), "{why}");
}

#[test]
fn names_choose_their_cases() {
    let chosen = select(&["quiet-env-logger".to_owned(), "lru-clear".to_owned()]).unwrap();
    let names: Vec<&str> = chosen.iter().map(|case| case.name).collect();
    assert_eq!(names, ["lru-clear", "quiet-env-logger"]);
}

#[test]
fn the_table_is_the_folder() {
    let table: BTreeSet<String> = CASES
        .iter()
        .flat_map(|case| case.variants().iter().map(|v| format!("{}/{}", case.name, v.name())))
        .collect();
    assert_eq!(table, packages().into_iter().collect());
}

#[test]
fn every_package_is_locked_to_crates_io() {
    for package in packages() {
        let lock = fs::read_to_string(corpus().join(&package).join("Cargo.lock")).unwrap();
        for line in lock.lines().filter(|line| line.starts_with("source = ")) {
            let expected = r#"source = "registry+https://github.com/rust-lang/crates.io-index""#;
            assert_eq!(line, expected, "in {package}");
        }
    }
}

fn corpus() -> PathBuf {
    root().join("tests/corpus")
}

/// Each `case/variant` that has a manifest.
fn packages() -> Vec<String> {
    let mut packages = Vec::new();
    for case in fs::read_dir(corpus()).unwrap().map(Result::unwrap) {
        for variant in ["leaky", "fixed", "quiet"] {
            if case.path().join(variant).join("Cargo.toml").exists() {
                packages.push(format!("{}/{variant}", case.file_name().to_str().unwrap()));
            }
        }
    }
    packages
}
