//! Measures programs on tasks. The programs run in turns, so that other load on the machine affects all of them.

use std::collections::HashMap;

use crate::Result;
use crate::program::{Program, Run};
use crate::task::Task;

/// How many passes a run has, and which of them count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passes {
    /// A warm-up pass, then as many as the task says. The fastest of them counts, because disturbances only add
    /// time.
    Warm,
    /// A single pass.
    One,
}

/// Medians of the rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Figures {
    /// Nanoseconds per operation in the first pass.
    pub(crate) first: f64,
    /// Nanoseconds per operation in the fastest of the later passes.
    pub(crate) warm: f64,
    pub(crate) peak_kib: Option<u64>,
}

/// The figures of each program (row) on each task (column).
#[derive(Debug)]
pub(crate) struct Grid {
    figures: HashMap<(usize, usize, u64), Figures>,
    divisors: Vec<u64>,
}

impl Grid {
    /// Runs each program on each task once per round. The first program is the system allocator, which also runs
    /// the smaller tasks of the slow programs.
    pub(crate) fn measure(
        programs: &[Program],
        tasks: &[Task],
        passes: Passes,
        rounds: usize,
    ) -> Result<Self> {
        let divisors: Vec<u64> = programs.iter().map(|program| program.rival.divisor).collect();
        let mut runs: HashMap<_, Vec<Run>> = HashMap::new();
        for round in 1..=rounds {
            eprintln!("round {round} of {rounds}");
            for (column, task) in tasks.iter().enumerate() {
                for (row, divisor) in cells(&divisors) {
                    let size = task.size_for(divisor);
                    let run = programs[row].run(task, size, passes.count(task))?;
                    runs.entry((row, column, divisor)).or_default().push(run);
                }
            }
        }
        let figures = runs.into_iter().map(|(cell, runs)| (cell, Figures::of(&runs))).collect();
        Ok(Self { figures, divisors })
    }

    /// The figures of a program on a task.
    pub(crate) fn get(&self, row: usize, column: usize) -> Figures {
        self.figures[&(row, column, self.divisors[row])]
    }

    /// The figures of the system allocator on a task of the same size.
    pub(crate) fn system(&self, row: usize, column: usize) -> Figures {
        self.figures[&(0, column, self.divisors[row])]
    }

    /// The time of a program relative to the system allocator, without the first pass.
    pub(crate) fn ratio(&self, row: usize, column: usize) -> f64 {
        self.get(row, column).warm / self.system(row, column).warm
    }
}

/// The rows to run, each with the divisor of its task; the first row with every divisor.
fn cells(divisors: &[u64]) -> Vec<(usize, u64)> {
    let mut first = divisors.to_vec();
    first.sort_unstable();
    first.dedup();
    let first = first.into_iter().map(|divisor| (0, divisor));
    first.chain(divisors.iter().copied().enumerate().skip(1)).collect()
}

impl Passes {
    fn count(self, task: &Task) -> u64 {
        match self {
            Self::Warm => 1 + task.passes,
            Self::One => 1,
        }
    }
}

impl Figures {
    fn of(runs: &[Run]) -> Self {
        let first = |run: &Run| run.passes.first().copied();
        let warm = |run: &Run| run.passes.iter().skip(1).copied().min_by(f64::total_cmp);
        let peak = |run: &Run| run.peak_kib.map(|peak| peak as f64);
        Self {
            first: median(runs.iter().filter_map(first)).unwrap_or_default(),
            warm: median(runs.iter().filter_map(warm)).unwrap_or_default(),
            peak_kib: median(runs.iter().filter_map(peak)).map(|peak| peak as u64),
        }
    }
}

/// The median; of an even number of values, the lower of the two in the middle.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_value_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), Some(2.0));
        assert_eq!(median([].into_iter()), None);
    }

    #[test]
    fn the_system_allocator_also_runs_the_smaller_tasks() {
        assert_eq!(cells(&[1, 1, 10, 10]), [(0, 1), (0, 10), (1, 1), (2, 10), (3, 10)]);
    }

    #[test]
    fn the_fastest_pass_after_the_first_counts() {
        let run = |passes: [f64; 3]| Run { passes: passes.to_vec(), peak_kib: Some(7) };
        let figures =
            Figures::of(&[run([1.0, 5.0, 4.0]), run([9.0, 6.0, 8.0]), run([9.0, 9.0, 7.0])]);
        assert_eq!(figures, Figures { first: 9.0, warm: 6.0, peak_kib: Some(7) });
    }

    #[test]
    fn a_slow_program_is_compared_with_the_system_allocator_on_the_same_task() {
        let of = |warm| Figures { warm, ..Figures::default() };
        let figures = [((0, 0, 1), of(10.0)), ((0, 0, 10), of(20.0)), ((1, 0, 10), of(80.0))];
        let grid = Grid { figures: figures.into_iter().collect(), divisors: vec![1, 10] };
        assert_eq!(grid.ratio(1, 0), 4.0);
    }
}
