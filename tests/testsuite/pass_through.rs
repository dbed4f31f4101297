//! Under Miri and sanitizers, nothing is interposed or judged, and stderr says so.

use std::path::Path;
use std::process::Command;

use leakcheck_tests::{Cargo, Fixture, Outcome, Suite, mistake_in};

/// Functions that leakcheck interposes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const INTERPOSED: [&str; 4] = ["pthread_create", "open", "fork", "dlclose"];

/// The toolchains for these targets bring the sanitizers' runtimes.
#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod sanitizers {
    use super::*;

    #[test]
    fn nothing_is_judged_under_the_leak_sanitizer() {
        nothing_is_judged_under("leak");
    }

    #[test]
    fn nothing_is_judged_under_the_address_sanitizer() {
        nothing_is_judged_under("address");
    }

    #[test]
    fn nothing_is_judged_under_the_thread_sanitizer() {
        nothing_is_judged_under("thread");
    }

    fn nothing_is_judged_under(sanitizer: &str) {
        let host = Cargo::host();
        let test = ["test", "-p", "settings", "--test", "checks", "--target", &host, "--"];
        let cargo = Cargo::new()
            // `-Z` on a stable toolchain.
            .env("RUSTC_BOOTSTRAP", "1")
            // The standard library was built without the sanitizer.
            .env(
                "RUSTFLAGS",
                &format!("-Zsanitizer={sanitizer} -Cunsafe-allow-abi-mismatch=sanitizer"),
            )
            // The fixture leaks on purpose. The sanitizer would report that too.
            .env("ASAN_OPTIONS", "detect_leaks=0")
            .env("LSAN_OPTIONS", "detect_leaks=0")
            // Races inside the standard library, which the sanitizer does not see into.
            .env("TSAN_OPTIONS", "report_bugs=0");
        nothing_is_judged(&cargo.args(&test).args(&["--skip", "leaks_under_odd_names"]).go());
    }
}

/// Cargo derives `CARGO_CFG_MIRI` from the flag, as it does for `cargo miri`.
#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn nothing_is_judged_or_interposed_in_a_build_for_miri() {
    let test = ["test", "-p", "settings", "--test", "checks", "--"];
    // `backtrace` calls functions of Miri's interpreter, which nothing reaches in this test.
    let flags = ["resolve_frame", "resolve_frame_names", "get_backtrace", "backtrace_size"]
        .map(|function| format!(" -Clink-arg=-Wl,--defsym=miri_{function}=0"));
    let flags = format!("--cfg miri{}", flags.concat());
    let cargo = Cargo::new().env("RUSTFLAGS", &flags).args(&test);
    let suite = cargo.args(&["--skip", "leaks_under_odd_names"]).go();
    nothing_is_judged(&suite);
    assert_eq!(interposed(program(&suite)), [""; 0]);
    let plain = Fixture::new("settings", "checks").program();
    assert_eq!(interposed(&plain), INTERPOSED, "a plain build interposes them");
}

fn nothing_is_judged(suite: &Suite) {
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
    let reason = serde_json::json!({ "is": "pass_through" });
    assert_eq!(report["verdict"], serde_json::json!({ "is": "not_judged", "reason": reason }));
    assert_eq!(mistake_in(report), None, "{report:#}");
}

/// The test program that cargo ran, according to its output.
fn program(suite: &Suite) -> &Path {
    let said = suite.tests.stderr();
    let running =
        said.lines().find_map(|line| line.trim().strip_prefix("Running tests/checks.rs ("));
    let program = running.and_then(|rest| rest.strip_suffix(')'));
    Path::new(program.unwrap_or_else(|| panic!("no test program ran:\n{said}")))
}

/// The interposed functions that a program defines.
fn interposed(program: &Path) -> Vec<&'static str> {
    let nm = Command::new("nm").arg("--defined-only").arg(program).output();
    let nm = nm.expect("`nm` comes with the linker");
    let symbols = String::from_utf8(nm.stdout).expect("names of symbols are text");
    let is_defined = |name: &&str| symbols.lines().any(|line| line.ends_with(&format!(" {name}")));
    INTERPOSED.into_iter().filter(is_defined).collect()
}
