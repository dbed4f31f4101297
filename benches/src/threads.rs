//! W1 on as many threads.

use crate::Result;
use crate::compare::ratios;
use crate::grid::{Grid, Passes};
use crate::profile::Profile;
use crate::rival;
use crate::task::Task;

const THREADS: [u64; 3] = [1, 2, 4];

pub(crate) fn run(rounds: usize) -> Result<String> {
    let tasks = THREADS.map(|threads| {
        let head = if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
        Task::new(&head, "churn", 200_000, threads)
    });
    let mut parts = Vec::new();
    for profile in Profile::ALL {
        let field = rival::quick(profile)?;
        let grid = Grid::measure(&field.programs, &tasks, Passes::Warm, rounds)?;
        parts.push(format!("{}:", profile.name()));
        parts.push(ratios(&field.programs, &tasks, &grid));
        parts.extend(field.left_out);
    }
    Ok(parts.join("\n\n"))
}
