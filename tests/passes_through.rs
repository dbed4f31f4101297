//! In a build that a sanitizer watches nothing is judged, and that is said.

use std::io::Write;
use std::process::Command;

use leakcheck_tests::{Cargo, Outcome, Suite, mistake_in};

const TOOLCHAIN: &str = "nightly";
const TARGET: &str = "x86_64-unknown-linux-gnu";

#[test]
fn under_the_leak_sanitizer_nothing_is_judged() {
    not_judged("leak");
}

#[test]
fn under_the_address_sanitizer_nothing_is_judged() {
    not_judged("address");
}

fn not_judged(sanitizer: &str) {
    let Some(suite) = under(sanitizer) else { return };
    let said = suite.tests.stderr();
    for test in ["keeps_nothing", "keeps_six_megabytes", "is_skipped"] {
        assert_eq!(
            suite.tests.outcome(test),
            Outcome::Passed,
            "`{test}`:\n{}\n{said}",
            suite.tests.stdout()
        );
    }
    let why = "Miri or a sanitizer watches the memory of this build";
    let told = format!("leakcheck: nothing is judged: {why}");
    assert_eq!(said.lines().filter(|line| *line == told).count(), 1, "{said}");
    let reports = suite.folder.reports();
    let report = &reports["settings/tests/checks/keeps_six_megabytes.json"];
    assert_eq!(report["verdict"], serde_json::json!({ "is": "not_judged", "why": why }));
    assert_eq!(mistake_in(report), None, "{report:#}");
}

/// The checks of a fixture, built under a sanitizer, where there is a compiler that has it.
fn under(sanitizer: &str) -> Option<Suite> {
    if !is_there() {
        _ = writeln!(
            std::io::stderr(),
            "SKIPPED: there is no toolchain `{TOOLCHAIN}` for {TARGET} on this machine"
        );
        return None;
    }
    let test = ["test", "-p", "settings", "--test", "checks", "--target", TARGET, "--"];
    // The fixture's leaks are on purpose; what is asked here is who speaks of them.
    let cargo = Cargo::of_toolchain(TOOLCHAIN)
        .env("RUSTFLAGS", &format!("-Zsanitizer={sanitizer}"))
        .env("ASAN_OPTIONS", "detect_leaks=0")
        .env("LSAN_OPTIONS", "detect_leaks=0");
    Some(cargo.args(&test).args(&["--skip", "leaks_under_odd_names"]).go())
}

fn is_there() -> bool {
    let rustc =
        Command::new("rustup").args(["run", TOOLCHAIN, "rustc", "--version", "--verbose"]).output();
    rustc.is_ok_and(|output| {
        output.status.success()
            && String::from_utf8_lossy(&output.stdout).contains(&format!("host: {TARGET}"))
    })
}
