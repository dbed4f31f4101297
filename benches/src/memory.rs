//! What is resident at most, beyond what the system's allocator needs.

use leakcheck_report::format::size;

use crate::Result;
use crate::grid::{Grid, Passes};
use crate::profile::Profile;
use crate::program::Program;
use crate::rival;
use crate::sites;
use crate::table::Table;
use crate::task::Task;

pub(crate) fn run(rounds: usize) -> Result<String> {
    let mut field = rival::everyone(Profile::Dev)?;
    for program in &mut field.programs {
        // Less to do would be less to keep.
        program.rival.divisor = 1;
    }
    let mut tasks = Task::workloads();
    tasks.extend(
        sites::tasks()
            .into_iter()
            .map(|task| Task { head: format!("{} stacks", task.head), ..task }),
    );
    let grid = Grid::measure(&field.programs, &tasks, Passes::One, rounds)?;
    let mut parts = vec![table(&field.programs, &tasks, &grid)];
    parts.extend(field.left_out);
    Ok(parts.join("\n\n"))
}

fn table(programs: &[Program], tasks: &[Task], grid: &Grid) -> String {
    let heads = tasks.iter().map(|task| task.head.as_str());
    let mut table = Table::new(&std::iter::once("").chain(heads).collect::<Vec<_>>());
    for (row, program) in programs.iter().enumerate() {
        let mut cells = vec![program.rival.name.to_owned()];
        cells.extend((0..tasks.len()).map(|column| {
            match (grid.get(row, column).peak_kb, grid.system(row, column).peak_kb) {
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
