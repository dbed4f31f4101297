//! Evaluates the records of a run: which tests ran, how they ended, and what is missing.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::setup::Programs;
use leakcheck_report::run::{End, Harness, Outcome, Program};

/// A test that ran.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ran {
    /// The folder of its reports.
    pub(crate) target: String,
    pub(crate) name: String,
    /// `None` if its process ended first.
    pub(crate) outcome: Option<Outcome>,
    pub(crate) seconds: Option<f64>,
    /// Why there is no outcome.
    pub(crate) why: Option<String>,
}

/// The contents of the records.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// The tests, and how they ended.
    pub(crate) ran: Vec<Ran>,
    /// Messages about what is missing.
    pub(crate) problems: Vec<String>,
    /// The programs, without their tests. nextest starts one per test; of these, only the ones that did
    /// not exit with 0 are kept.
    pub(crate) programs: Vec<Program>,
    /// Whether a program without libtest failed.
    pub(crate) failed: bool,
}

/// Evaluates a run of `cargo test`. Each expected program must have a record.
pub(crate) fn of_cargo_test(records: &[Program], expected: &Programs) -> Evidence {
    let mut evidence = Evidence::default();
    for (path, program) in expected {
        if !records.iter().any(|record| record.path == *path) {
            let target = &program.folder;
            evidence.problems.push(format!("the tests of `{target}` were not started"));
        }
    }
    for record in records {
        evidence.add(record);
        evidence.keep(record);
        for test in record.tests.iter().flatten() {
            let missing = test.outcome.is_none().then(|| why_missing(record, &test.name));
            evidence.ran.push(Ran {
                target: record.target.clone(),
                name: test.name.clone(),
                outcome: test.outcome,
                seconds: None,
                why: missing,
            });
        }
    }
    evidence
}

/// Evaluates a run of nextest, which reports outcomes itself. The last record of a test can contradict
/// `passed`.
pub(crate) fn of_nextest(records: &[Program], mut ran: Vec<Ran>) -> Evidence {
    let mut evidence = Evidence::default();
    let mut last = HashMap::new();
    for record in records {
        for test in record.tests.iter().flatten() {
            last.insert((record.target.as_str(), test.name.as_str()), (record, test.outcome));
        }
    }
    for test in &mut ran {
        let found = last.get(&(test.target.as_str(), test.name.as_str()));
        if let Some((record, None)) = found
            && test.outcome == Some(Outcome::Passed)
        {
            (test.outcome, test.why) = (None, Some(why_missing(record, &test.name)));
        }
    }
    for record in records {
        // nextest reports programs that failed.
        if record.end.as_ref().is_some_and(|end| *end == End::ExitCode(0)) {
            evidence.add(record);
        } else {
            evidence.keep(record);
            evidence.add_unwritten(record);
        }
    }
    evidence.ran = ran;
    evidence
}

impl Evidence {
    fn add(&mut self, record: &Program) {
        self.add_unwritten(record);
        let target = &record.target;
        let tests = record.tests.as_deref().unwrap_or_default();
        let missing = tests.iter().filter(|test| test.outcome.is_none()).count();
        let is_cut_off = missing > 0 || !record.running.is_empty();
        let by_signal = !matches!(record.end, Some(End::ExitCode(_)));
        if is_cut_off || (by_signal && record.harness != Harness::Doctest) {
            let mut problem = format!("the tests of `{target}` {}", how_it_ended(record));
            if !record.running.is_empty() {
                _ = write!(problem, " while {} running", with_verb(&record.running));
            }
            if missing > 0 {
                let tests = leakcheck_report::format::counted(missing as u64, "test");
                _ = write!(problem, ": {tests} did not finish");
            }
            self.problems.push(problem);
        }
        if record.harness == Harness::Custom {
            self.failed |= record.end != Some(End::ExitCode(0));
            if record.checks_all {
                self.problems.push(format!(
                    "`{target}` has `check_all!` and `harness = false`: `check_all!` checks the tests of libtest, with \
                     another harness call `leakcheck::check`"
                ));
            }
        }
    }

    fn keep(&mut self, record: &Program) {
        self.programs.push(Program { tests: None, ..record.clone() });
    }

    fn add_unwritten(&mut self, record: &Program) {
        for unwritten in &record.unwritten {
            let (check, error) = (&unwritten.check, &unwritten.error);
            self.problems.push(format!("the report of `{check}` is not written: {error}"));
        }
    }
}

/// `ended with exit code 3`, `ended by signal 9 (SIGKILL)`.
fn how_it_ended(record: &Program) -> String {
    match &record.end {
        Some(End::ExitCode(code)) => format!("ended with exit code {code}"),
        Some(End::Signal(signal)) => format!("ended by signal {}", signal_name(*signal)),
        Some(End::NotStarted(problem)) => format!("were not started: {problem}"),
        None => "were killed together with the process that had started them".to_owned(),
    }
}

#[cfg(unix)]
fn signal_name(signal: i32) -> String {
    match nix::sys::signal::Signal::try_from(signal) {
        Ok(name) => format!("{signal} ({name})"),
        Err(_) => signal.to_string(),
    }
}

#[cfg(not(unix))]
fn signal_name(signal: i32) -> String {
    signal.to_string()
}

/// Why a test has no outcome.
fn why_missing(record: &Program, test: &str) -> String {
    let was_running = record.running.iter().any(|running| running == test);
    let state = if was_running { "was running" } else { "had not finished" };
    format!("{state} when its process {}", how_it_ended(record))
}

/// Names with a verb: "`a` was", "`a`, `b` and 3 more were".
fn with_verb(names: &[String]) -> String {
    const MOST: usize = 3;
    let mut listed: Vec<String> = names.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    if names.len() > MOST {
        listed.push(format!("{} more", names.len() - MOST));
    }
    match listed.as_slice() {
        [one] => format!("{one} was"),
        [first @ .., last] => format!("{} and {last} were", first.join(", ")),
        [] => String::new(),
    }
}
