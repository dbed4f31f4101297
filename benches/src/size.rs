//! How cost grows with the number of threads, the depth of the stack and the number of call stacks that a report has.

use crate::Result;
use crate::grid::{Grid, Passes};
use crate::lineup::Lineup;
use crate::profile::Profile;
use crate::program::Program;
use crate::table::{Table, time};
use crate::task::{Task, grouped};

const THREADS: [u64; 3] = [1, 1_000, 5_000];
const DEPTHS: [u64; 5] = [10, 100, 1_000, 10_000, 100_000];
const STACKS: [u64; 3] = [1_000, 10_000, 100_000];

pub(crate) fn run(rounds: usize) -> Result<String> {
    let mut lineup = Lineup::capturing(Profile::Dev)?;
    for program in &mut lineup.programs {
        // The question is how cost grows, so every tool does the full work.
        program.rival.divisor = 1;
    }
    let threads = THREADS.map(|n| Task::new(&grouped(n), "idle-threads", n, 0));
    let depths = DEPTHS.map(|n| Task::new(&format!("{} frames", grouped(n)), "descend", n, 0));
    let by_threads = Grid::measure(&lineup.programs, &threads, Passes::One, rounds)?;
    let by_depth = Grid::measure(
        &lineup.programs,
        &depths.clone().map(|it| it.passes(2)),
        Passes::Warm,
        rounds,
    )?;
    let mut parts = vec![
        "Memory a thread, beyond that of the system's allocator:".to_owned(),
        per_thread(&lineup.programs, &by_threads),
        "Time of an allocation and a free in a recursion:".to_owned(),
        by_depths(&lineup.programs, &depths, &by_depth),
        "Processor time of a program that leaks a block in each of many call stacks, with its report:"
            .to_owned(),
        reports(&lineup.programs)?,
    ];
    parts.extend(lineup.missing);
    Ok(parts.join("\n\n"))
}

fn per_thread(programs: &[Program], grid: &Grid) -> String {
    let heads = THREADS[1..].iter().map(|n| format!("{} threads", grouped(*n)));
    let mut table = Table::new(&std::iter::once(String::new()).chain(heads).collect::<Vec<_>>());
    for (row, program) in programs.iter().enumerate() {
        let mut cells = vec![program.rival.name.to_owned()];
        let peak = |row, column| grid.get(row, column).peak_kib;
        cells.extend((1..THREADS.len()).map(|column| {
            let grown = |row| Some(peak(row, column)?.saturating_sub(peak(row, 0)?) as f64);
            let each = THREADS[column] as f64;
            match (grown(row), grown(0)) {
                (Some(own), _) if row == 0 => format!("{:.1} KiB", own / each),
                (Some(own), Some(system)) => format!("{:+.1} KiB", (own - system) / each),
                _ => "?".to_owned(),
            }
        }));
        table.row(&cells);
    }
    table.text()
}

fn by_depths(programs: &[Program], tasks: &[Task], grid: &Grid) -> String {
    let heads = tasks.iter().map(|task| task.head.as_str());
    let mut table = Table::new(&std::iter::once("").chain(heads).collect::<Vec<_>>());
    for (row, program) in programs.iter().enumerate() {
        let mut cells = vec![program.rival.name.to_owned()];
        cells.extend((0..tasks.len()).map(|column| time(grid.get(row, column).warm)));
        table.row(&cells);
    }
    table.text()
}

fn reports(programs: &[Program]) -> Result<String> {
    let heads = STACKS.map(|n| format!("{} stacks", grouped(n)));
    let mut table = Table::new(&std::iter::once(String::new()).chain(heads).collect::<Vec<_>>());
    for program in programs {
        let mut cells = vec![program.rival.name.to_owned()];
        for stacks in STACKS {
            let seconds = program.time(&Task::new("", "kept-sites", stacks, 0))?;
            cells.push(format!("{seconds:.2} s"));
        }
        table.row(&cells);
    }
    Ok(table.text())
}
