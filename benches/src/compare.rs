//! The workloads W1 to W6 under every rival.

use crate::Result;
use crate::grid::{Grid, Passes};
use crate::lineup::Lineup;
use crate::profile::Profile;
use crate::program::Program;
use crate::table::{Table, ratio, time};
use crate::task::Task;

pub(crate) fn run(profile: Profile, rounds: usize) -> Result<String> {
    let lineup = Lineup::all(profile)?;
    let tasks = Task::workloads();
    let grid = Grid::measure(&lineup.programs, &tasks, Passes::Warm, rounds)?;
    let mut parts = vec![ratios(&lineup.programs, &tasks, &grid)];
    parts.extend(behind_leakcheck(&lineup.programs, &grid));
    parts.extend(lineup.missing);
    Ok(parts.join("\n\n"))
}

/// The ratios to the system allocator, below the times of the latter.
pub(crate) fn ratios(programs: &[Program], tasks: &[Task], grid: &Grid) -> String {
    let heads = tasks.iter().map(|task| task.head.as_str());
    let mut table = Table::new(&std::iter::once("").chain(heads).collect::<Vec<_>>());
    for (row, program) in programs.iter().enumerate() {
        let mut cells = vec![program.rival.name.to_owned()];
        cells.extend((0..tasks.len()).map(|column| match row {
            0 => time(grid.get(row, column).warm),
            _ => ratio(grid.ratio(row, column)),
        }));
        table.row(&cells);
    }
    table.text()
}

/// How much slower than leakcheck the others with call stacks are on the first task.
fn behind_leakcheck(programs: &[Program], grid: &Grid) -> Option<String> {
    let ours = programs.iter().position(|program| program.rival.is_full())?;
    let ours = grid.ratio(ours, 0);
    let others =
        programs.iter().enumerate().filter(|(_, program)| program.rival.is_other_with_stacks());
    let ratios: Vec<String> = others
        .map(|(row, program)| {
            format!(
                "{} takes {} times as long",
                program.rival.name,
                ratio(grid.ratio(row, 0) / ours)
            )
        })
        .collect();
    Some(format!("On W1, compared with leakcheck with full stacks: {}.", ratios.join("; ")))
}
