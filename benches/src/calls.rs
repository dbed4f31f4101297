//! Allocations at the bottom of deep call stacks.

use crate::Result;
use crate::grid::{Grid, Passes};
use crate::lineup::Lineup;
use crate::profile::Profile;
use crate::program::Program;
use crate::table::{Table, ratio, time};
use crate::task::Task;

const DEPTHS: [u64; 3] = [5, 20, 100];

pub(crate) fn run(rounds: usize) -> Result<String> {
    let tasks: Vec<Task> = [("hot", "depth-hot"), ("alternating", "depth-alternating")]
        .into_iter()
        .flat_map(|(name, workload)| {
            DEPTHS.map(|depth| Task::new(&format!("{depth}, {name}"), workload, 100_000, depth))
        })
        .collect();
    let mut parts = Vec::new();
    for profile in Profile::ALL {
        let lineup = Lineup::capturing(profile)?;
        let grid = Grid::measure(&lineup.programs, &tasks, Passes::Warm, rounds)?;
        parts.push(format!("{}:", profile.name()));
        parts.push(table(&lineup.programs, &tasks, &grid));
        parts.extend(lineup.missing);
    }
    Ok(parts.join("\n\n"))
}

/// The ratios, and the difference in time, because the calls themselves take time too.
fn table(programs: &[Program], tasks: &[Task], grid: &Grid) -> String {
    let heads = tasks.iter().map(|task| task.head.as_str());
    let mut table = Table::new(&std::iter::once("").chain(heads).collect::<Vec<_>>());
    for (row, program) in programs.iter().enumerate() {
        let mut cells = vec![program.rival.name.to_owned()];
        cells.extend((0..tasks.len()).map(|column| {
            let (own, system) = (grid.get(row, column).warm, grid.system(row, column).warm);
            match row {
                0 => time(own),
                _ => format!("{} (+{})", ratio(own / system), time((own - system).max(0.0))),
            }
        }));
        table.row(&cells);
    }
    table.text()
}
