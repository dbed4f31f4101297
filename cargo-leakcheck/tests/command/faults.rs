//! Faults around the tests, which must not end as a pass.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::support::exit::{CLEAN, INCOMPLETE, LEAKS, TESTS_FAILED, UNUSABLE};
use crate::support::shop::{shop, status, visit, visit_for_json};
use crate::support::{Folder, Said, without_privileges};

#[test]
fn a_killed_process_makes_the_run_incomplete() {
    for runner in ["cargo", "nextest"] {
        let said = visit("abort", &["--runner", runner, "-p", "cart", "--lib"]);
        let expected = if runner == "cargo" { INCOMPLETE } else { TESTS_FAILED };
        let said = said.ends_with(expected);
        if runner == "cargo" {
            assert!(
                said.stdout.contains("incomplete: the tests of `cart` ended by signal 6 (SIGABRT)"),
                "{}",
                said.stdout
            );
        } else {
            assert!(said.row("may_end_the_process").contains("failed"), "{}", said.stdout);
        }
    }
}

#[test]
fn a_process_that_ends_before_its_tests_makes_the_run_incomplete() {
    let said =
        visit("exit", &["--runner", "cargo", "-p", "cart", "--lib", "--", "--test-threads=1"]);
    let said = said.ends_with(INCOMPLETE);
    let expected = "the tests of `cart` ended with exit code 101 while `tests::may_end_the_process` was running: 5 \
                    tests did not finish";
    assert!(said.stdout.contains(expected), "{}", said.stdout);
    let row = said.row("tests::may_end_the_process");
    assert!(row.contains("cut off"), "{row}");
}

#[test]
fn unreadable_reports_make_the_run_incomplete() {
    let said = visit("half", &["-p", "cart", "--lib"]).ends_with(INCOMPLETE);
    assert!(said.stdout.contains("half.json` is cut off"), "{}", said.stdout);
    let said = visit("newer", &["-p", "cart", "--lib"]).ends_with(INCOMPLETE);
    assert!(said.stdout.contains("has schema 99"), "{}", said.stdout);
    assert!(
        said.stdout.contains("leakcheck 9.0.0 wrote it, update cargo-leakcheck"),
        "{}",
        said.stdout
    );
    let said = visit("cut_off", &["-p", "cart", "--lib"]).ends_with(INCOMPLETE);
    assert!(said.stdout.contains("was cut off while it was written"), "{}", said.stdout);
}

#[test]
fn control_characters_in_names_reach_no_terminal() {
    let (said, run) = visit_for_json("bad_name", &["-p", "cart", "--lib"], LEAKS);
    assert!(!said.stdout.contains('\u{1b}'), "{}", said.stdout);
    assert!(!said.stdout.lines().any(|line| line.starts_with("::error")), "{}", said.stdout);
    let leaked = |test: &&Value| test["status"] == "leaked";
    let leaked = run["tests"].as_array().unwrap().iter().find(leaked).unwrap();
    assert_eq!(leaked["name"], "<script>alert(1)</script>\u{1b}[31m\n::error::x");
}

#[test]
fn parallel_runs_do_not_affect_each_other() {
    let folder = Folder::new();
    let start = |words: &str, name: &str| {
        let report = format!("--report={}", folder.path().join(name).display());
        let mut command = shop().command(&["-p", "cart", "--lib", &report]);
        command.env("SHOP", words).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let (clean, leaky) = (start("", "clean.json"), start("leak", "leaky.json"));
    Said::of(clean.wait_with_output().unwrap()).ends_with(CLEAN);
    Said::of(leaky.wait_with_output().unwrap()).ends_with(LEAKS);
    for (name, expected) in [("clean.json", "passed"), ("leaky.json", "leaked")] {
        let run: Value = serde_json::from_str(&folder.read(name)).unwrap();
        assert_eq!(status(&run, "cart::tests::may_leak"), expected);
        assert_eq!(run["tests"].as_array().unwrap().len(), 6);
    }
}

#[test]
fn an_unwritable_path_is_reported() {
    let folder = Folder::new();
    folder.write("file", "");
    let report = format!("--report={}", folder.path().join("file/report.html").display());
    let said = visit("", &["-p", "till", &report]).ends_with(UNUSABLE);
    assert!(said.stderr.contains("file"), "{}", said.stderr);
    assert!(
        said.row("tests::keeps_little").contains("passed"),
        "the table is there all the same: {}",
        said.stdout
    );
    let output =
        shop().command(&[]).env("CARGO_TARGET_DIR", folder.path().join("file")).output().unwrap();
    Said::of(output).ends_with(UNUSABLE);
}

/// A directory that is readable and not writable.
fn lock(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn an_unwritable_directory_is_reported_and_other_outputs_are_written() {
    let folder = Folder::new();
    let locked = folder.path().join("locked");
    std::fs::create_dir(&locked).unwrap();
    folder.write("other/before", "");
    lock(&locked, 0o555);
    let to = |name: &str| locked.join(name).display().to_string();
    let visit = |words: &str, args: &[&str]| {
        let command = shop().command(&[args, &["-p", "cart", "--lib"]].concat());
        let mut command = without_privileges(command, &locked)?;
        Some(Said::of(command.env("SHOP", words).output().unwrap()))
    };
    let report = format!("--report={}", to("report.html"));
    let history = format!("--history={}", to("runs"));
    let other = format!("--report={}", folder.path().join("other/run.json").display());
    let Some(said) = visit("leak", &[&report, &history, &other]) else { return };
    let said = said.ends_with(UNUSABLE);
    for what in [to("report.html"), to("runs")] {
        let line = said.stderr.lines().find(|line| line.contains(&what));
        let line = line.unwrap_or_else(|| panic!("{what}: {}", said.stderr));
        assert!(line.starts_with("leakcheck: ") && line.contains("Permission denied"), "{line}");
    }
    assert!(said.row("tests::may_leak").contains("leaked"), "the table is there: {}", said.stdout);
    let run: Value = serde_json::from_str(&folder.read("other/run.json")).unwrap();
    assert_eq!(status(&run, "cart::tests::may_leak"), "leaked", "and the other report");
    assert_eq!(std::fs::read_dir(&locked).unwrap().count(), 0, "nothing half is left behind");

    let baseline = format!("--baseline={}", to("base.json"));
    let said = visit("leak", &["baseline", &baseline]).unwrap();
    let said = said.ends_with(UNUSABLE);
    assert!(
        said.stderr.contains("base.json` cannot be written: Permission denied"),
        "{}",
        said.stderr
    );
    assert!(said.row("tests::may_leak").contains("3.00 MiB"), "{}", said.stdout);

    // An unreadable file is reported before the tests run.
    lock(&locked, 0o000);
    for flag in [&history.replace("/runs", ""), &baseline] {
        let said = visit("abort", &[flag]).unwrap().ends_with(UNUSABLE);
        assert!(said.stderr.contains("cannot be read: Permission denied"), "{}", said.stderr);
        assert_eq!(said.stdout, "");
    }
    lock(&locked, 0o755);
}

#[test]
fn an_unwritable_target_directory_is_reported_before_anything_runs() {
    let folder = Folder::new();
    let target = folder.path().join("target");
    std::fs::create_dir(&target).unwrap();
    lock(&target, 0o555);
    let command = shop().command(&["-p", "cart", "--lib"]);
    let Some(mut command) = without_privileges(command, &target) else { return };
    let output = command.env("CARGO_TARGET_DIR", &target).output().unwrap();
    let said = Said::of(output).ends_with(UNUSABLE);
    assert!(
        said.stderr.contains("leakcheck/runs` cannot be made: Permission denied"),
        "{}",
        said.stderr
    );
    lock(&target, 0o755);
}

#[test]
fn a_leak_whose_report_cannot_be_written_makes_the_run_incomplete() {
    for (package, words, test) in
        [("cart", "no_room,leak", "may_leak"), ("till", "no_room,till", "has_a_limit_of_its_own")]
    {
        for runner in ["cargo", "nextest"] {
            let said = visit(words, &["-p", package, "--lib", "--runner", runner, "--", test]);
            let said = said.ends_with(INCOMPLETE);
            let expected = format!("incomplete: the report of `tests::{test}` is not written: ");
            assert!(said.stdout.contains(&expected), "{runner}: {}", said.stdout);
        }
    }
}
