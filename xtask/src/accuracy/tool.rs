//! The tools that look for leaks: the columns of the tables.

use crate::corpus::cases::Case;
use crate::corpus::{is_headline, set_up};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

/// A tool, or a mode of leakcheck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Tool {
    Alone,
    BesideOthers,
    Copies,
    Lsan,
    Dhat,
    DhatRepeated,
    Mockalloc,
    StatsAlloc,
    StatsAllocMebibyte,
}

/// The result of one run of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Leak,
    Nothing,
    /// The case has no test of this kind.
    HasNone,
}

/// The exit code by which the program of a rival, or LeakSanitizer, reports a leak.
const LEAK: i32 = 23;
/// A run that takes longer is considered to hang.
const LONGEST: Duration = Duration::from_secs(120);

impl Tool {
    pub(super) const ALL: [Self; 9] = [
        Self::Alone,
        Self::BesideOthers,
        Self::Copies,
        Self::Lsan,
        Self::Dhat,
        Self::DhatRepeated,
        Self::Mockalloc,
        Self::StatsAlloc,
        Self::StatsAllocMebibyte,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Alone => "leakcheck, alone",
            Self::BesideOthers => "leakcheck, beside others",
            Self::Copies => "leakcheck, four copies",
            Self::Lsan => "LeakSanitizer",
            Self::Dhat => "dhat, one call",
            Self::DhatRepeated => "dhat, 100 calls after one",
            Self::Mockalloc => "mockalloc, one call",
            Self::StatsAlloc => "stats_alloc, one call, 0 B",
            Self::StatsAllocMebibyte => "stats_alloc, one call, 1 MiB",
        }
    }

    /// The header of its column.
    pub(super) fn head(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::BesideOthers => "beside others",
            Self::Copies => "four copies",
            Self::Lsan => "LSan",
            Self::Dhat => "dhat 1",
            Self::DhatRepeated => "dhat 100",
            Self::Mockalloc => "mockalloc",
            Self::StatsAlloc => "stats 0 B",
            Self::StatsAllocMebibyte => "stats 1 MiB",
        }
    }

    pub(super) fn is_leakcheck(self) -> bool {
        matches!(self, Self::Alone | Self::BesideOthers | Self::Copies)
    }

    fn arguments(self, case: &Case) -> Vec<String> {
        // Each call of this trigger leaves a thread running.
        let few = case.name == "notify-watch-timer-thread";
        let arguments = match self {
            Self::Alone => "--test-threads=1 --exact alone",
            Self::BesideOthers => "--test-threads=4 beside_others:: other_tests::",
            Self::Copies => "--test-threads=4 copies::",
            Self::Lsan if few => "26",
            Self::Lsan => "61",
            Self::Dhat => "0 1",
            Self::DhatRepeated if few => "1 40",
            Self::DhatRepeated => "1 100",
            Self::Mockalloc => "",
            Self::StatsAlloc => "0",
            Self::StatsAllocMebibyte => "1048576",
        };
        arguments.split_whitespace().map(str::to_owned).collect()
    }

    /// Runs a program once. Its output is written to a file next to it.
    pub(super) fn run(self, program: &Path, run: u32, case: &Case) -> Result<Said, String> {
        let log = program.with_extension(format!("{}-{run}.out", self.head().replace(' ', "-")));
        let mut command = Command::new(program);
        command.args(self.arguments(case)).current_dir(std::env::temp_dir());
        set_up(&mut command);
        let status = output_to(&log, &mut command)?;
        let text = fs::read(&log).map_err(|e| format!("`{}`: {e}", log.display()))?;
        let said = self.said(status.code(), &String::from_utf8_lossy(&text));
        said.ok_or_else(|| {
            let (name, log) = (self.name(), log.display());
            format!("{name} ended with {status}, which tells nothing; it printed `{log}`")
        })
    }

    pub(super) fn said(self, code: Option<i32>, text: &str) -> Option<Said> {
        match code? {
            0 if !self.is_leakcheck() => Some(Said::Nothing),
            0 if text.contains(" 0 passed; ") => Some(Said::HasNone),
            0 if text.contains("test result: ok.") => Some(Said::Nothing),
            101 if self.is_leakcheck() && text.lines().any(is_headline) => Some(Said::Leak),
            LEAK if !self.is_leakcheck() => Some(Said::Leak),
            _ => None,
        }
    }
}

/// Runs a command with its output redirected to a file.
fn output_to(log: &Path, command: &mut Command) -> Result<ExitStatus, String> {
    let cannot = |error| format!("cannot run `{}`: {error}", log.display());
    let file = File::create(log).map_err(cannot)?;
    command.stdout(file.try_clone().map_err(cannot)?).stderr(file);
    let mut child = command.spawn().map_err(cannot)?;
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(cannot)? {
            return Ok(status);
        }
        if begun.elapsed() > LONGEST {
            child.kill().map_err(cannot)?;
        }
        thread::sleep(Duration::from_millis(2));
    }
}
