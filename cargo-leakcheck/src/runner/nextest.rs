//! `cargo nextest run`, whose events are JSON objects, one per line.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

use serde::Deserialize;

use super::{Plan, cargo};
use crate::error::{Error, Result};
use crate::evidence::Ran;
use crate::progress::Progress;
use crate::setup::Programs;
use crate::target_runner::Invocation;
use crate::workspace::{Workspace, folder};
use leakcheck_report::run::Outcome;

/// The exit codes of nextest when there are no tests, when tests failed, and when tests cannot be
/// listed.
const NO_TESTS: i32 = 4;
const TESTS_FAILED: i32 = 100;
const NO_LIST: i32 = 104;

#[derive(Debug, Deserialize)]
struct Event {
    #[serde(rename = "type")]
    of: String,
    event: String,
    name: Option<String>,
    exec_time: Option<f64>,
    test_count: Option<usize>,
    ignored: Option<usize>,
    nextest: Option<Suite>,
}

#[derive(Debug, Deserialize)]
struct Suite {
    #[serde(rename = "crate")]
    package: String,
    test_binary: String,
    kind: String,
}

/// Whether nextest is installed.
pub(crate) fn is_installed() -> bool {
    let mut command = cargo();
    command.args(["nextest", "--version"]).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The programs that nextest has built, as `cargo nextest list` describes them.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Binaries {
    rust_binaries: BTreeMap<String, Binary>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Binary {
    binary_path: String,
    binary_name: String,
    package_id: cargo_metadata::PackageId,
    kind: String,
}

/// Builds the tests, with cargo's messages on stderr, and returns the programs.
pub(crate) fn build(plan: &Plan, own: &[String], workspace: &Workspace) -> Result<Programs> {
    let mut command = cargo();
    command.args(["nextest", "run", "--no-run"]);
    plan.build(&mut command);
    let status = command.args(own).stdin(Stdio::null()).status().map_err(cannot_run)?;
    match status.code() {
        Some(0) => programs(plan, workspace),
        Some(NO_LIST) => Err(Error::unusable(
            "cargo nextest cannot list the tests: a program with `harness = false` must answer `--list` as libtest \
             does, or be excluded by `-E 'not binary(…)'`",
        )),
        _ => Err(Error::build_failed()),
    }
}

fn programs(plan: &Plan, workspace: &Workspace) -> Result<Programs> {
    let mut command = cargo();
    command.args(["nextest", "list", "--list-type", "binaries-only", "--message-format", "json"]);
    plan.build(&mut command);
    command.arg("--cargo-quiet").stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().map_err(cannot_run)?;
    let list: Binaries = serde_json::from_slice(&output.stdout).map_err(|error| {
        Error::unusable(format!("`cargo nextest list` did not list the test programs: {error}"))
    })?;
    let program = |binary: Binary| {
        let program = workspace.program(&binary.package_id, &binary.kind, &binary.binary_name);
        program.map(|program| (binary.binary_path, program))
    };
    Ok(list.rust_binaries.into_values().filter_map(program).collect())
}

fn cannot_run(error: std::io::Error) -> Error {
    Error::unusable(format!("cargo nextest cannot be run: {error}"))
}

/// A summary of the events of nextest.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) ran: Vec<Ran>,
    /// Messages about tests that started and never ended.
    pub(crate) problems: Vec<String>,
    /// Whether nextest succeeded.
    pub(crate) success: bool,
    /// Its output, which is only shown.
    pub(crate) output: String,
}

/// Runs the tests.
pub(crate) fn run(
    plan: &Plan,
    own: &[String],
    invocation: &Invocation,
    progress: &mut Progress,
) -> Result<Summary> {
    let mut command = cargo();
    command.args(["nextest", "run"]);
    plan.run(&mut command, invocation);
    command.args(own).args(["--no-fail-fast", "--message-format", "libtest-json-plus"]);
    command.arg("--").args(&plan.libtest);
    command.env("NEXTEST_EXPERIMENTAL_LIBTEST_JSON", "1");
    let lost = cannot_run;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(lost)?;
    let stdout = child.stdout.take().expect("it is piped");
    let mut stderr = child.stderr.take().expect("it is piped");
    let verbose = plan.verbose;
    let words = std::thread::spawn(move || tee(&mut stderr, verbose));
    let mut listener = Listener::default();
    for line in BufReader::new(stdout).lines() {
        if let Ok(event) = serde_json::from_str::<Event>(&line.map_err(lost)?) {
            listener.handle(event, progress);
        }
    }
    let status = child.wait().map_err(lost)?;
    let output = words.join().unwrap_or_default();
    match status.code() {
        Some(code @ (0 | TESTS_FAILED | NO_TESTS)) => {
            Ok(listener.finish(code != TESTS_FAILED, output))
        }
        _ => Err(Error::unusable(format!("cargo nextest ended with {status}:\n{output}"))),
    }
}

/// Reads all output, and shows it if requested.
fn tee(from: &mut impl Read, show: bool) -> String {
    let mut all = Vec::new();
    let mut part = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut part) {
        if show {
            _ = std::io::stderr().write_all(&part[..length]);
        }
        all.extend_from_slice(&part[..length]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

#[derive(Default)]
struct Listener {
    summary: Summary,
    /// The folders of reports, by the part of a test's name before the `$`.
    targets: HashMap<String, String>,
    /// Tests that have started and not ended.
    running: Vec<String>,
    /// Number of ignored tests by target, which nextest does not always report one by one.
    ignored: HashMap<String, usize>,
}

impl Listener {
    fn handle(&mut self, event: Event, progress: &mut Progress) {
        if event.of == "suite" {
            if let Some(suite) = &event.nextest {
                self.handle_target(suite, &event, progress);
            }
            return;
        }
        let Some(full) = event.name else { return };
        let outcome = match event.event.as_str() {
            "started" => return self.running.push(full),
            "ok" => Outcome::Passed,
            "failed" | "timeout" => Outcome::Failed,
            "ignored" => Outcome::Ignored,
            _ => return,
        };
        self.running.retain(|name| *name != full);
        let (binary, name) = full.split_once('$').unwrap_or(("", &full));
        // nextest adds `#2` to the name of a retried test. `r#fn` is a name.
        let retried = name.rsplit_once('#').filter(|(_, times)| times.parse::<u32>().is_ok());
        let name = retried.map_or(name, |(name, _)| name);
        progress.ended(name, outcome);
        let target = self.targets.get(binary).cloned().unwrap_or_else(|| binary.to_owned());
        self.summary.ran.push(Ran {
            target,
            name: name.to_owned(),
            outcome: Some(outcome),
            seconds: event.exec_time,
            why: None,
        });
    }

    fn handle_target(&mut self, suite: &Suite, event: &Event, progress: &mut Progress) {
        let binary = format!("{}::{}", suite.package, suite.test_binary);
        if let Some(ignored) = event.ignored {
            let known = self.ignored.entry(binary.clone()).or_default();
            *known = (*known).max(ignored);
        }
        // nextest reports a target again if its tests do not run in one go.
        if let Entry::Vacant(place) = self.targets.entry(binary) {
            progress.expect(event.test_count.unwrap_or(0));
            place.insert(folder(&suite.package, &suite.kind, &suite.test_binary));
        }
    }

    /// Tests that started and have not ended. As many of them were ignored as nextest counted for their
    /// target.
    fn end(&mut self) {
        for full in std::mem::take(&mut self.running) {
            let (binary, name) = full.split_once('$').unwrap_or(("", &full));
            let target = self.targets.get(binary).cloned().unwrap_or_default();
            let is_reported =
                |ran: &&Ran| ran.target == target && ran.outcome == Some(Outcome::Ignored);
            let reported = self.summary.ran.iter().filter(is_reported).count();
            if self.ignored.get(binary).is_some_and(|ignored| *ignored > reported) {
                let (name, outcome) = (name.to_owned(), Some(Outcome::Ignored));
                self.summary.ran.push(Ran { target, name, outcome, seconds: None, why: None });
            } else {
                let test = full.replace('$', " ");
                self.summary.problems.push(format!("`{test}` started and never ended"));
            }
        }
    }

    fn finish(mut self, success: bool, output: String) -> Summary {
        self.end();
        self.summary.success = success;
        self.summary.output = output;
        self.summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary_of(lines: &str) -> Summary {
        let mut listener = Listener::default();
        let mut progress = Progress::hidden();
        for line in lines.lines() {
            listener.handle(serde_json::from_str(line).unwrap(), &mut progress);
        }
        listener.finish(true, String::new())
    }

    const BEGIN: &str = r#"{"type":"suite","event":"started","test_count":2,"nextest":{"crate":"app","test_binary":"my-api","kind":"test"}}
{"type":"test","event":"started","name":"app::my-api$a"}
{"type":"test","event":"started","name":"app::my-api$b"}
{"type":"test","event":"ok","name":"app::my-api$a","exec_time":0.5}
"#;

    #[test]
    fn an_ignored_test_may_have_no_event() {
        let end = r#"{"type":"suite","event":"ok","ignored":1,"nextest":{"crate":"app","test_binary":"my-api","kind":"test"}}"#;
        let summary = summary_of(&format!("{BEGIN}{end}"));
        let ran = |name: &str, outcome, seconds| Ran {
            target: "app/tests/my_api".into(),
            name: name.into(),
            outcome: Some(outcome),
            seconds,
            why: None,
        };
        let expected = [ran("a", Outcome::Passed, Some(0.5)), ran("b", Outcome::Ignored, None)];
        assert_eq!(summary.ran, expected);
        assert!(summary.problems.is_empty(), "{:?}", summary.problems);
    }

    #[test]
    fn a_test_that_never_ended_is_a_problem() {
        let summary = summary_of(BEGIN);
        assert_eq!(summary.problems, ["`app::my-api b` started and never ended"]);
    }
}
