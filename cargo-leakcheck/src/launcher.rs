//! The target runner: cargo and nextest start it in place of each test program, and it starts the
//! program, records how it ended, and ends in the same way.

mod child;
mod journal;

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::libtest;
use crate::records::Files;
use crate::setup::{DIRECTORY, Setup, VERB};
use leakcheck_report::journal::VARIABLE;
use leakcheck_report::run::{End, Harness, Program, Test};

/// Runs the program that follows [`VERB`] and a target triple.
pub(crate) fn run(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let launch = arguments
        .next()
        .zip(arguments.next())
        .ok_or_else(|| "expected a target triple and a program".to_owned())
        .and_then(|(triple, program)| Launch::new(&triple, program, arguments.collect()));
    match launch {
        Ok(launch) => launch.run(),
        Err(problem) => {
            eprintln!("leakcheck: only cargo runs `cargo leakcheck {VERB}`: {problem}");
            ExitCode::from(crate::exit::Exit::Usage.code())
        }
    }
}

/// A program that is about to be started.
struct Launch {
    directory: PathBuf,
    setup: Setup,
    triple: String,
    program: OsString,
    arguments: Vec<OsString>,
}

impl Launch {
    fn new(triple: &OsStr, program: OsString, arguments: Vec<OsString>) -> Result<Self, String> {
        let directory = env::var_os(DIRECTORY).ok_or(format!("`{DIRECTORY}` is not set"))?;
        let directory = PathBuf::from(directory);
        let setup = Setup::read(&directory)?;
        let triple = triple.to_string_lossy().into_owned();
        Ok(Self { directory, setup, triple, program, arguments })
    }

    fn run(self) -> ExitCode {
        if self.arguments.iter().any(|argument| argument == "--list") {
            let mut command = self.command();
            command.args(&self.arguments);
            return child::end_as(&child::wait_for(command));
        }
        let mut record = self.record();
        let files = Files::new(&self.directory, record.started_ms);
        let mut command = self.command();
        if record.harness == Harness::Libtest {
            self.list(&files, &mut record);
        }
        let logged = record.tests.is_some();
        if logged {
            command.arg("--logfile").arg(&files.outcomes);
        }
        let (arguments, log_of_user) = libtest::without_logfile(&self.arguments, logged);
        command.args(arguments).env(VARIABLE, &files.journal);
        if record.harness == Harness::Doctest {
            // Without a target runner, rustdoc sets this variable, so that examples that were
            // compiled together run in separate processes.
            command.env("RUSTDOC_DOCTEST_BIN_PATH", &self.program);
        }
        files.keep(&record);
        let (end, process) = child::run(command);
        if let Some(tests) = &mut record.tests {
            libtest::read_outcomes(&files.outcomes, tests);
        }
        if let Some(copy) = log_of_user {
            // libtest would have written this file.
            _ = fs::copy(&files.outcomes, copy);
        }
        let process = process.filter(|_| self.setup.runner(&self.triple).is_empty());
        journal::read(&files.journal, process, &mut record);
        record.ended_ms = Some(now_ms());
        record.end = Some(end.clone());
        files.keep(&record);
        child::end_as(&end)
    }

    fn record(&self) -> Program {
        let path = self.program.to_string_lossy().into_owned();
        let known = self.setup.programs.get(&path);
        let package = || env::var("CARGO_PKG_NAME").unwrap_or_default();
        Program {
            target: known
                .map_or_else(|| format!("{}/doc", package()), |known| known.folder.clone()),
            harness: known.map_or(Harness::Doctest, |known| known.harness),
            path,
            arguments: self.arguments.iter().map(|a| a.to_string_lossy().into_owned()).collect(),
            started_ms: now_ms(),
            ..Program::default()
        }
    }

    /// Asks libtest which tests it is about to run. nextest names a single test.
    fn list(&self, files: &Files, record: &mut Program) {
        let names = match self.named_by_nextest() {
            Some(name) => Some(vec![name]),
            None => {
                let mut command = self.command();
                command.args(["--list", "--logfile"]).arg(&files.tests);
                command.args(libtest::without_logfile(&self.arguments, true).0);
                command.env("LEAK_CHECK", "off").env_remove("LEAK_RECORD");
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                let listed = child::wait_for(command) == End::ExitCode(0);
                listed.then(|| libtest::read_list(&files.tests)).flatten()
            }
        };
        let tests = |names: Vec<String>| {
            names.into_iter().map(|name| Test { name, outcome: None }).collect()
        };
        record.tests = names.map(tests);
    }

    fn named_by_nextest(&self) -> Option<String> {
        env::var_os("NEXTEST")?;
        let exact = self.arguments.iter().position(|argument| argument == "--exact")?;
        self.arguments.get(exact + 1)?.to_str().map(str::to_owned)
    }

    /// The program, started by the user's own target runner if there is one, in the environment
    /// that it would have without this command.
    fn command(&self) -> Command {
        let runner = self.setup.runner(&self.triple);
        let mut command = match runner.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command.env_remove(DIRECTORY);
        for (variable, before) in &self.setup.variables {
            match before {
                Some(value) => command.env(variable, value),
                None => command.env_remove(variable),
            };
        }
        command
    }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or_default()
}
