//! `cargo xtask accuracy`: what leakcheck and its rivals find in the cases of `tests/corpus`.

mod arguments;
mod machine;
mod page;
mod programs;
mod tally;
#[cfg(test)]
mod tests;
mod tool;

use crate::Outcome;
use crate::corpus::cases::{Case, Variant};
use arguments::Arguments;
use programs::Programs;
use std::path::Path;
use std::thread;
use std::time::Instant;
use tally::Tally;
use tool::{Said, Tool};

pub(crate) fn run(args: &[String]) -> Outcome {
    let Arguments { cases, runs, write } = Arguments::read(args)?;
    let mut tally = Tally::new(runs);
    for case in cases {
        for &variant in case.variants() {
            run_variant(case, variant, &mut tally)?;
        }
    }
    let tables = format!("{}\n\n{}", machine::line(runs), tally.tables());
    println!("\n{tables}");
    if write {
        page::write(&tables)?;
    }
    Ok(true)
}

/// Builds the programs of one variant, runs each of them with its tools, and prints the results.
fn run_variant(case: &'static Case, variant: Variant, tally: &mut Tally) -> Result<(), String> {
    let begun = Instant::now();
    let programs = Programs::build(case, variant)?;
    let built = begun.elapsed().as_secs_f64();
    println!("{:<28}{:<7}built in {built:.1} s", case.name, variant.name());
    for tool in Tool::ALL {
        if let Some(program) = programs.of(tool) {
            run_tool(tool, &program, (case, variant), tally)?;
        }
    }
    Ok(())
}

fn run_tool(
    tool: Tool,
    program: &Path,
    (case, variant): (&'static Case, Variant),
    tally: &mut Tally,
) -> Result<(), String> {
    let begun = Instant::now();
    let said = run_often(tool, program, case, tally.runs())?;
    if said.contains(&Said::HasNone) {
        return Ok(());
    }
    let leaks = said.into_iter().filter(|said| *said == Said::Leak).count();
    let each = begun.elapsed().as_secs_f64() / f64::from(tally.runs());
    println!("    {:<32}{leaks:>3} of {}   {each:.2} s each", tool.name(), tally.runs());
    tally.count(case, variant, tool, leaks as u32);
    Ok(())
}

/// Runs as many at the same time as the machine has cores.
fn run_often(tool: Tool, program: &Path, case: &Case, runs: u32) -> Result<Vec<Said>, String> {
    let cores = thread::available_parallelism().map_or(1, usize::from) as u32;
    let runs_of = |core: u32| (core..runs).step_by(cores as usize);
    thread::scope(|scope| {
        let run_all = |core| runs_of(core).map(|run| tool.run(program, run, case)).collect();
        let all: Vec<_> = (0..cores).map(|core| scope.spawn(move || run_all(core))).collect();
        let said = all.into_iter().map(|core| core.join().expect("a run does not panic"));
        let said: Result<Vec<Vec<Said>>, String> = said.collect();
        Ok(said?.concat())
    })
}
