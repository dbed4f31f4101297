//! Allocations from few or many distinct call stacks.

use crate::Result;
use crate::grid::{Grid, Passes};
use crate::lineup::Lineup;
use crate::profile::Profile;
use crate::program::Program;
use crate::table::{Table, ratio, time};
use crate::task::{Task, grouped};

/// One task for each number of distinct call stacks, each ten calls deep. Every stack occurs at least once.
pub(crate) fn tasks() -> Vec<Task> {
    [10, 1_000, 100_000, 1_000_000]
        .map(|count| {
            let passes = if count == 1_000_000 { 2 } else { 5 };
            Task::new(&grouped(count), "sites", count.max(200_000), count).passes(passes)
        })
        .to_vec()
}

pub(crate) fn run(rounds: usize) -> Result<String> {
    let mut parts = Vec::new();
    for profile in [Profile::Dev, Profile::Release] {
        let lineup = Lineup::counting(profile)?;
        let tasks = tasks();
        let grid = Grid::measure(&lineup.programs, &tasks, Passes::Warm, rounds)?;
        parts.push(format!("{}:", profile.name()));
        parts.push(table(&lineup.programs, &tasks, &grid));
        parts.extend(lineup.missing);
    }
    Ok(parts.join("\n\n"))
}

/// The ratios, and those of the first pass, in which every stack is new.
fn table(programs: &[Program], tasks: &[Task], grid: &Grid) -> String {
    let heads = tasks.iter().map(|task| task.head.as_str());
    let mut table = Table::new(&std::iter::once("").chain(heads).collect::<Vec<_>>());
    for (row, program) in programs.iter().enumerate() {
        let mut cells = vec![program.rival.name.to_owned()];
        for column in 0..tasks.len() {
            let (own, system) = (grid.get(row, column), grid.system(row, column));
            cells.push(match row {
                0 => time(own.warm),
                _ => format!(
                    "{} (first {})",
                    ratio(own.warm / system.warm),
                    ratio(own.first / system.first)
                ),
            });
        }
        table.row(&cells);
    }
    table.text()
}
