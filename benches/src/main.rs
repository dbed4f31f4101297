//! What leakcheck costs, compared with similar tools: `cargo run -p leakcheck-benches -- BENCHMARK… [ROUNDS] [--write]`.
//!
//! This program builds the measured programs, runs them in turns and compares them. It measures nothing in itself.

mod arguments;
mod calls;
mod cargo;
mod clock;
mod compare;
mod dependency;
mod gather;
mod grid;
mod lineup;
mod machine;
mod memory;
mod page;
mod profile;
mod program;
mod reports;
mod rival;
mod sites;
mod size;
mod suite;
mod table;
mod task;
mod threads;

use std::process::ExitCode;

use arguments::{Arguments, Benchmark};
use profile::Profile;

/// A value, or why it could not be measured.
type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    match Arguments::parse(std::env::args().skip(1)).and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    for &benchmark in &arguments.benchmarks {
        let rounds = arguments.rounds.unwrap_or_else(|| benchmark.default_rounds());
        let tables = measure(benchmark, rounds)?;
        let text = format!("{}\n\n{tables}", machine::line(rounds));
        println!("\n## {}\n\n{text}", benchmark.name());
        if arguments.write {
            page::write(benchmark.name(), &text)?;
        }
    }
    Ok(())
}

fn measure(benchmark: Benchmark, rounds: usize) -> Result<String> {
    match benchmark {
        Benchmark::Dev => compare::run(Profile::Dev, rounds),
        Benchmark::DevOpt => compare::run(Profile::DevOpt, rounds),
        Benchmark::Release => compare::run(Profile::Release, rounds),
        Benchmark::Threads => threads::run(rounds),
        Benchmark::Depth => calls::run(rounds),
        Benchmark::Sites => sites::run(rounds),
        Benchmark::Size => size::run(rounds),
        Benchmark::Memory => memory::run(rounds),
        Benchmark::Suite => suite::run(rounds),
        Benchmark::Build => dependency::run(rounds),
        Benchmark::Reports => reports::run(rounds),
        Benchmark::Gather => gather::run(rounds),
    }
}
