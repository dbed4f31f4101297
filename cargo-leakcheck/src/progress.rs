//! What is shown while the tests run: one line that is written over, on a terminal alone.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use crate::runner::Outcome;

/// How often the line is written at most.
const PAUSE: Duration = Duration::from_millis(80);
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
    /// On stderr, if that is a terminal.
    pub(crate) fn new(verbose: bool) -> Self {
        Self { shown: !verbose && stderr().is_terminal(), ..Self::hidden() }
    }

    pub(crate) fn hidden() -> Self {
        Self { shown: false, expected: 0, ended: 0, failed: 0, last: None }
    }

    /// So many tests more are to come.
    pub(crate) fn expect(&mut self, tests: usize) {
        self.expected += tests;
    }

    pub(crate) fn ended(&mut self, test: &str, outcome: Outcome) {
        self.ended += 1;
        self.failed += usize::from(outcome == Outcome::Failed);
        let due = self.last.is_none_or(|last| last.elapsed() >= PAUSE);
        if self.shown && due {
            self.last = Some(Instant::now());
            let failed =
                if self.failed == 0 { String::new() } else { format!(", {} failed", self.failed) };
            let line = format!("[{}/{}{failed}] {test}", self.ended, self.expected);
            let line: String = line.chars().filter(|c| !c.is_control()).take(WIDTH).collect();
            _ = write!(stderr(), "\r\x1b[2K{line}");
        }
    }

    /// Takes the line away.
    pub(crate) fn clear(&mut self) {
        if self.shown && self.last.is_some() {
            _ = write!(stderr(), "\r\x1b[2K");
        }
    }
}
