//! Peak resident memory, compared with the system allocator.

use leakcheck_report::format::size;

use crate::Result;
use crate::grid::{Grid, Passes};
use crate::lineup::Lineup;
use crate::profile::Profile;
use crate::program::Program;
use crate::sites;
use crate::table::Table;
use crate::task::Task;

pub(crate) fn run(rounds: usize) -> Result<String> {
    let mut lineup = Lineup::all(Profile::Dev)?;
    for program in &mut lineup.programs {
        // A smaller task would need less memory.
        program.rival.divisor = 1;
    }
    let mut tasks = Task::workloads();
    tasks.extend(
        sites::tasks()
            .into_iter()
            .map(|task| Task { head: format!("{} stacks", task.head), ..task }),
    );
    let grid = Grid::measure(&lineup.programs, &tasks, Passes::One, rounds)?;
    let mut parts = vec![table(&lineup.programs, &tasks, &grid)];
    parts.extend(lineup.missing);
    Ok(parts.join("\n\n"))
}

fn table(programs: &[Program], tasks: &[Task], grid: &Grid) -> String {
    let heads = tasks.iter().map(|task| task.head.as_str());
    let mut table = Table::new(&std::iter::once("").chain(heads).collect::<Vec<_>>());
    for (row, program) in programs.iter().enumerate() {
        let mut cells = vec![program.rival.name.to_owned()];
        cells.extend((0..tasks.len()).map(|column| {
            match (grid.get(row, column).peak_kib, grid.system(row, column).peak_kib) {
                (Some(own), _) if row == 0 => size(own * 1024),
                (Some(own), Some(system)) => {
                    format!("+{}", size(own.saturating_sub(system) * 1024))
                }
                _ => "?".to_owned(),
            }
        }));
        table.row(&cells);
    }
    table.text()
}
