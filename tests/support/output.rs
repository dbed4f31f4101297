//! The result of a run: the output of libtest and the reports of leakcheck.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::Report;

/// The outcome of a test, as libtest prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// `ok`
    Passed,
    /// `FAILED`
    Failed,
}

/// A finished run.
#[derive(Debug)]
pub struct Finished {
    stdout: String,
    stderr: String,
    code: Option<i32>,
    outcomes: BTreeMap<String, Outcome>,
    reports: BTreeMap<String, Report>,
}

impl Finished {
    pub(crate) fn read(stdout: String, stderr: String, code: Option<i32>, reports: &Path) -> Self {
        let outcomes = stdout.lines().filter_map(outcome).collect();
        let mut found = BTreeMap::new();
        gather(reports, &mut found);
        Self { stdout, stderr, code, outcomes, reports: found }
    }

    /// The outcomes of all tests, by name.
    pub fn outcomes(&self) -> &BTreeMap<String, Outcome> {
        &self.outcomes
    }

    /// The outcome of a test.
    #[track_caller]
    pub fn outcome(&self, test: &str) -> Outcome {
        let outcome = self.outcomes.get(test);
        *outcome
            .unwrap_or_else(|| panic!("`{test}` did not run:\n{}\n{}", self.stdout, self.stderr))
    }

    /// The report on a test.
    #[track_caller]
    pub fn report(&self, test: &str) -> &Report {
        let report = self.reports.get(test);
        report.unwrap_or_else(|| panic!("no report on `{test}`:\n{}\n{}", self.stdout, self.stderr))
    }

    /// The reports on all tests, by name.
    pub fn reports(&self) -> &BTreeMap<String, Report> {
        &self.reports
    }

    /// The output of a test that libtest shows: by default, only that of failing tests.
    pub fn output(&self, test: &str) -> &str {
        let begin = format!("---- {test} stdout ----\n");
        let Some((_, after)) = self.stdout.split_once(&begin) else { return "" };
        let ends = ["\n---- ", "\n\nfailures:\n", "\n\nsuccesses:\n"];
        let end = ends.iter().filter_map(|end| after.find(end)).min();
        &after[..end.unwrap_or(after.len())]
    }

    /// The exit code.
    #[track_caller]
    pub fn code(&self) -> i32 {
        self.code.unwrap_or_else(|| panic!("a signal ended it:\n{}\n{}", self.stdout, self.stderr))
    }

    /// The standard output.
    pub fn stdout(&self) -> &str {
        &self.stdout
    }

    /// The standard error output, which libtest did not capture.
    pub fn stderr(&self) -> &str {
        &self.stderr
    }
}

/// Reads `test name ... ok`.
fn outcome(line: &str) -> Option<(String, Outcome)> {
    let (name, outcome) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let outcome = match outcome {
        "ok" => Outcome::Passed,
        "FAILED" => Outcome::Failed,
        _ => return None,
    };
    Some((name.strip_suffix(" - should panic").unwrap_or(name).to_owned(), outcome))
}

/// Reads the reports below a directory.
fn gather(directory: &Path, reports: &mut BTreeMap<String, Report>) {
    for entry in fs::read_dir(directory).expect("the directory of reports can be read") {
        let path = entry.expect("the directory of reports can be read").path();
        if path.is_dir() {
            gather(&path, reports);
            continue;
        }
        let json = fs::read(&path).expect("a report can be read");
        let mut report: Report = serde_json::from_slice(&json)
            .unwrap_or_else(|error| panic!("`{}`: {error}", path.display()));
        report.json = serde_json::from_slice(&json).expect("a report is JSON");
        reports.insert(report.test.name.clone(), report);
    }
}
