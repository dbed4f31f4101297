//! The progress line, which is overwritten while the tests run.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use crate::records::Count;
use leakcheck_report::run::Outcome;

/// The minimum time between two updates of the line.
pub(crate) const PAUSE: Duration = Duration::from_millis(80);
const WIDTH: usize = 78;

#[derive(Debug)]
pub(crate) struct Progress {
    shown: bool,
    expected: usize,
    ended: usize,
    failed: usize,
    last: Option<Instant>,
}

impl Progress {
    /// On stderr, if it is a terminal.
    pub(crate) fn new(verbose: bool) -> Self {
        Self { shown: !verbose && stderr().is_terminal(), ..Self::hidden() }
    }

    pub(crate) fn hidden() -> Self {
        Self { shown: false, expected: 0, ended: 0, failed: 0, last: None }
    }

    pub(crate) fn is_shown(&self) -> bool {
        self.shown
    }

    /// The progress of the run.
    pub(crate) fn is_at(&mut self, count: Count) {
        let is_further = count.ended > self.ended;
        (self.expected, self.ended, self.failed) = (count.tests, count.ended, count.failed);
        if let Some(test) = count.last.filter(|_| is_further) {
            self.write(&test);
        }
    }

    /// Adds tests that will run.
    pub(crate) fn expect(&mut self, tests: usize) {
        self.expected += tests;
    }

    pub(crate) fn ended(&mut self, test: &str, outcome: Outcome) {
        self.ended += 1;
        self.failed += usize::from(outcome == Outcome::Failed);
        if self.last.is_none_or(|last| last.elapsed() >= PAUSE) {
            self.write(test);
        }
    }

    fn write(&mut self, test: &str) {
        if !self.shown {
            return;
        }
        self.last = Some(Instant::now());
        let failed =
            if self.failed == 0 { String::new() } else { format!(", {} failed", self.failed) };
        let line = format!("[{}/{}{failed}] {test}", self.ended, self.expected);
        let line: String = line.chars().filter(|c| !c.is_control()).take(WIDTH).collect();
        _ = write!(stderr(), "\r\x1b[2K{line}");
    }

    /// Clears the line.
    pub(crate) fn clear(&mut self) {
        if self.shown && self.last.is_some() {
            _ = write!(stderr(), "\r\x1b[2K");
        }
    }
}
