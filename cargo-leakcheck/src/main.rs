//! `cargo leakcheck` runs a test suite under `leakcheck`, shows the memory of all tests in one table and
//! one page, and fails on new leaks.

#![forbid(unsafe_code)]

mod baseline;
mod cargo_config;
mod ci;
mod cli;
mod commit;
mod date;
mod diff;
mod error;
mod evidence;
mod exit;
mod fingerprint;
mod formats;
mod gather;
mod history;
mod iterations;
mod judge;
mod launcher;
mod libtest;
mod merge;
mod model;
mod output;
mod progress;
mod records;
mod runner;
mod settings;
mod setup;
mod sources;
mod suite;
mod table;
mod target_runner;
mod verbs;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == setup::VERB) {
        return launcher::run(arguments);
    }
    let cli::Cargo::Leakcheck(command) = match cli::Cargo::try_parse() {
        Ok(command) => command,
        Err(error) => {
            _ = error.print();
            return if error.use_stderr() { exit::Exit::Usage } else { exit::Exit::Clean }.into();
        }
    };
    match verbs::run(command) {
        Ok(exit) => exit.into(),
        Err(error) => {
            anstream::eprintln!("leakcheck: {error}");
            error.exit.into()
        }
    }
}

impl From<exit::Exit> for ExitCode {
    fn from(exit: exit::Exit) -> Self {
        Self::from(exit.code())
    }
}
