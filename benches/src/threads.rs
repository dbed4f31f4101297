//! W1 on several threads.

use crate::Result;
use crate::compare::ratios;
use crate::grid::{Grid, Passes};
use crate::lineup::Lineup;
use crate::profile::Profile;
use crate::task::Task;

const THREADS: [u64; 3] = [1, 2, 4];

pub(crate) fn run(rounds: usize) -> Result<String> {
    let tasks = THREADS.map(|threads| {
        let head = if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
        Task::new(&head, "churn", 200_000, threads)
    });
    let mut parts = Vec::new();
    for profile in Profile::ALL {
        let lineup = Lineup::counting(profile)?;
        let grid = Grid::measure(&lineup.programs, &tasks, Passes::Warm, rounds)?;
        parts.push(format!("{}:", profile.name()));
        parts.push(ratios(&lineup.programs, &tasks, &grid));
        parts.extend(lineup.missing);
    }
    Ok(parts.join("\n\n"))
}
