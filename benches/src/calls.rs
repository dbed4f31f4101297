//! Blocks made below many calls.

use crate::Result;
use crate::grid::{Grid, Passes};
use crate::profile::Profile;
use crate::program::Program;
use crate::rival;
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
        let field = rival::capturing(profile)?;
        let grid = Grid::measure(&field.programs, &tasks, Passes::Warm, rounds)?;
        parts.push(format!("{}:", profile.name()));
        parts.push(added(&field.programs, &tasks, &grid));
        parts.extend(field.left_out);
    }
    Ok(parts.join("\n\n"))
}

/// The ratios and what they are in time, as the calls themselves take time as well.
fn added(programs: &[Program], tasks: &[Task], grid: &Grid) -> String {
    let heads = tasks.iter().map(|task| task.head.as_str());
    let mut table = Table::new(&std::iter::once("").chain(heads).collect::<Vec<_>>());
    for (row, program) in programs.iter().enumerate() {
        let mut cells = vec![program.rival.name.to_owned()];
        cells.extend((0..tasks.len()).map(|column| {
            let (own, system) = (grid.get(row, column).again, grid.system(row, column).again);
            match row {
                0 => time(own),
                _ => format!("{} (+{})", ratio(own / system), time((own - system).max(0.0))),
            }
        }));
        table.row(&cells);
    }
    table.text()
}
