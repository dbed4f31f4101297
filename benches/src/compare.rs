//! W1 to W6 under every rival.

use crate::Result;
use crate::grid::{Grid, Passes};
use crate::profile::Profile;
use crate::program::Program;
use crate::rival;
use crate::table::{Table, ratio, time};
use crate::task::Task;

pub(crate) fn run(profile: Profile, rounds: usize) -> Result<String> {
    let field = rival::everyone(profile)?;
    let tasks = Task::workloads();
    let grid = Grid::measure(&field.programs, &tasks, Passes::Warm, rounds)?;
    let mut parts = vec![ratios(&field.programs, &tasks, &grid)];
    parts.extend(distances(&field.programs, &grid));
    parts.extend(field.left_out);
    Ok(parts.join("\n\n"))
}

/// The ratios, below what the system's allocator takes.
pub(crate) fn ratios(programs: &[Program], tasks: &[Task], grid: &Grid) -> String {
    let heads = tasks.iter().map(|task| task.head.as_str());
    let mut table = Table::new(&std::iter::once("").chain(heads).collect::<Vec<_>>());
    for (row, program) in programs.iter().enumerate() {
        let mut cells = vec![program.rival.name.to_owned()];
        cells.extend((0..tasks.len()).map(|column| match row {
            0 => time(grid.get(row, column).again),
            _ => ratio(grid.ratio(row, column)),
        }));
        table.row(&cells);
    }
    table.text()
}

/// How far the others are behind leakcheck with full stacks, on the first task.
fn distances(programs: &[Program], grid: &Grid) -> Option<String> {
    let ours = programs.iter().position(|program| program.rival.is_full())?;
    let ours = grid.ratio(ours, 0);
    let behind =
        programs.iter().enumerate().filter(|(_, program)| program.rival.is_another_with_stacks());
    let behind: Vec<String> = behind
        .map(|(row, program)| {
            format!(
                "{} takes {} times as long",
                program.rival.name,
                ratio(grid.ratio(row, 0) / ours)
            )
        })
        .collect();
    Some(format!("On W1, beside leakcheck with full stacks: {}.", behind.join("; ")))
}
