//! Programs by tasks: run in turns, so that whatever else the machine does is felt by all.

use std::collections::HashMap;

use crate::Result;
use crate::program::{Program, Run};
use crate::task::Task;

/// How a run is read off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passes {
    /// A pass for warmth and as many more as the task says, of which the fastest counts: what
    /// disturbs only adds.
    Warm,
    /// One pass.
    One,
}

/// Medians of the rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Figures {
    /// Nanoseconds of an operation in the first pass.
    pub(crate) first: f64,
    /// In the fastest of the later ones.
    pub(crate) again: f64,
    pub(crate) peak_kb: Option<u64>,
}

/// What came of the programs, which are known by their place, and the tasks likewise.
#[derive(Debug)]
pub(crate) struct Grid {
    figures: HashMap<(usize, usize, u64), Figures>,
    divisors: Vec<u64>,
}

impl Grid {
    /// Runs each program on each task once a round. The first program is the system's allocator; it
    /// also runs with as little to do as the slow ones have.
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

    /// What a program came to on a task.
    pub(crate) fn get(&self, row: usize, column: usize) -> Figures {
        self.figures[&(row, column, self.divisors[row])]
    }

    /// What the system's allocator came to with as much to do.
    pub(crate) fn system(&self, row: usize, column: usize) -> Figures {
        self.figures[&(0, column, self.divisors[row])]
    }

    /// How many times as long as the system's allocator it took, once warm.
    pub(crate) fn ratio(&self, row: usize, column: usize) -> f64 {
        self.get(row, column).again / self.system(row, column).again
    }
}

/// All programs with what they have to do; the first one with all there is to compare with.
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
        let again = |run: &Run| run.passes.iter().skip(1).copied().min_by(f64::total_cmp);
        let peak = |run: &Run| run.peak_kb.map(|peak| peak as f64);
        Self {
            first: median(runs.iter().filter_map(first)).unwrap_or_default(),
            again: median(runs.iter().filter_map(again)).unwrap_or_default(),
            peak_kb: median(runs.iter().filter_map(peak)).map(|peak| peak as u64),
        }
    }
}

/// The one in the middle; of two in the middle, the lower one.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), Some(2.0));
        assert_eq!(median([].into_iter()), None);
    }

    #[test]
    fn the_system_runs_with_as_little_to_do_as_the_slow_ones() {
        assert_eq!(cells(&[1, 1, 10, 10]), [(0, 1), (0, 10), (1, 1), (2, 10), (3, 10)]);
    }

    #[test]
    fn a_run_counts_by_its_fastest_pass_but_the_first() {
        let run = |passes: [f64; 3]| Run { passes: passes.to_vec(), peak_kb: Some(7) };
        let figures =
            Figures::of(&[run([1.0, 5.0, 4.0]), run([9.0, 6.0, 8.0]), run([9.0, 9.0, 7.0])]);
        assert_eq!(figures, Figures { first: 9.0, again: 6.0, peak_kb: Some(7) });
    }

    #[test]
    fn a_slow_program_is_held_against_the_system_with_as_little_to_do() {
        let of = |again| Figures { again, ..Figures::default() };
        let figures = [((0, 0, 1), of(10.0)), ((0, 0, 10), of(20.0)), ((1, 0, 10), of(80.0))];
        let grid = Grid { figures: figures.into_iter().collect(), divisors: vec![1, 10] };
        assert_eq!(grid.ratio(1, 0), 4.0);
    }
}
