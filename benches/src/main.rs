//! What leakcheck costs, beside its rivals: `cargo run -p leakcheck-benches -- WHAT [ROUNDS] [--write]`.
//!
//! Everything is measured by running programs in turns; this one only builds, runs and compares.

mod arguments;
mod calls;
mod cargo;
mod clock;
mod compare;
mod dependency;
mod gather;
mod grid;
mod machine;
mod memory;
mod page;
mod profile;
mod program;
mod reports;
mod rival;
mod sites;
mod suite;
mod table;
mod task;
mod threads;

use std::process::ExitCode;

use arguments::{Arguments, What};
use profile::Profile;

/// Why something could not be measured, in words.
type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    match Arguments::read(std::env::args().skip(1)).and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    for &what in &arguments.what {
        let rounds = arguments.rounds.unwrap_or_else(|| what.rounds());
        let tables = measure(what, rounds)?;
        let text = format!("{}\n\n{tables}", machine::line(rounds));
        println!("\n## {}\n\n{text}", what.name());
        if arguments.write {
            page::write(what.name(), &text)?;
        }
    }
    Ok(())
}

fn measure(what: What, rounds: usize) -> Result<String> {
    match what {
        What::Dev => compare::run(Profile::Dev, rounds),
        What::DevOpt => compare::run(Profile::DevOpt, rounds),
        What::Release => compare::run(Profile::Release, rounds),
        What::Threads => threads::run(rounds),
        What::Depth => calls::run(rounds),
        What::Sites => sites::run(rounds),
        What::Memory => memory::run(rounds),
        What::Suite => suite::run(rounds),
        What::Build => dependency::run(rounds),
        What::Reports => reports::run(rounds),
        What::Gather => gather::run(rounds),
    }
}
