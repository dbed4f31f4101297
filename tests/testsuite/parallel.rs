//! Any number of tests can run in parallel. The figures of each are exact to the byte.

#[path = "../fixtures/leaks/src/plan.rs"]
mod plan;

use leakcheck_tests::{Figures, Finished, Fixture, Growth, Outcome};
use plan::{SLOTS, Step, TESTS, plan};

const ROUNDS: usize = 20;

const PARALLEL: Fixture = Fixture::new("leaks", "parallel");

#[test]
fn one_after_the_other_every_figure_is_exact() {
    check(PARALLEL, 1);
}

#[test]
fn two_at_a_time_every_figure_is_exact() {
    check(PARALLEL, 2);
}

#[test]
fn eight_at_a_time_every_figure_is_exact() {
    check(PARALLEL, 8);
}

#[test]
fn all_at_once_every_figure_is_exact() {
    check(PARALLEL, TESTS);
}

#[test]
fn with_a_custom_allocator_every_figure_is_exact() {
    check(PARALLEL.with_features("threads,mimalloc"), 8);
}

fn check(fixture: Fixture, threads: usize) {
    for round in 0..ROUNDS {
        let run = fixture.run().threads(threads).go();
        assert_eq!(run.outcomes().len(), TESTS, "round {round}:\n{}", run.stdout());
        (0..TESTS).for_each(|test| check_test(&run, test, round));
    }
}

fn check_test(run: &Finished, test: usize, round: usize) {
    let name = format!("t{test:02}");
    let expected = OnPaper::carry_out(test).figures;
    let found = Figures { unattributed: Growth::default(), ..run.report(&name).figures() };
    assert_eq!(found, expected, "`{name}` in round {round}");
    let outcome = if expected.net_growth.bytes > 0 { Outcome::Failed } else { Outcome::Passed };
    assert_eq!(run.outcome(&name), outcome, "`{name}` in round {round}");
    // The test itself allocated every block that it is charged with.
    let report = run.report(&name);
    assert!(report.call_sites.iter().all(|site| site.passes(&name)), "{report:#?}");
    assert_eq!(report.retained_through(&name), expected.retained, "`{name}` in round {round}");
}

/// Simulates the plan of a test without an allocator.
#[derive(Default)]
struct OnPaper {
    slots: [Option<Block>; SLOTS],
    figures: Figures,
}

#[derive(Clone, Copy)]
struct Block {
    size: u64,
    is_own: bool,
}

impl OnPaper {
    fn carry_out(test: usize) -> Self {
        let mut paper = Self::default();
        for step in plan(test) {
            match step {
                Step::Allocate { slot, size, .. } | Step::AllocateZeroed { slot, size, .. } => {
                    paper.allocate(slot, size as u64);
                }
                Step::Resize { slot, size } => paper.resize(slot, size as u64),
                Step::Free { slot } => paper.free(slot, true),
                Step::FreeElsewhere { slot } => paper.free(slot, false),
                // The block still belongs to this test, which ends before another test takes it.
                Step::Give { slot, .. } => paper.slots[slot] = None,
                Step::Take { slot, from } => {
                    paper.slots[slot] = Some(Block { size: given(from, test), is_own: false });
                }
            }
        }
        let Figures { retained, released, .. } = paper.figures;
        paper.figures.net_growth = Growth {
            bytes: retained.bytes as i64 - released.bytes as i64,
            blocks: retained.blocks as i64 - released.blocks as i64,
        };
        paper
    }

    fn allocate(&mut self, slot: usize, size: u64) {
        self.slots[slot] = Some(Block { size, is_own: true });
        self.figures.retained.blocks += 1;
        self.figures.churn.blocks += 1;
        self.figures.events.allocations += 1;
        self.grow(size);
    }

    fn grow(&mut self, bytes: u64) {
        self.figures.retained.bytes += bytes;
        self.figures.churn.bytes += bytes;
        self.figures.events.bytes_allocated += bytes;
        self.figures.peak_bytes = self.figures.peak_bytes.max(self.figures.retained.bytes);
    }

    fn shrink(&mut self, bytes: u64) {
        self.figures.retained.bytes -= bytes;
        self.figures.events.bytes_deallocated += bytes;
    }

    /// A block of another test becomes this test's when it is resized.
    fn resize(&mut self, slot: usize, size: u64) {
        let block = self.slots[slot].expect("a block");
        if !block.is_own {
            self.free(slot, true);
            self.allocate(slot, size);
            return;
        }
        self.slots[slot] = Some(Block { size, is_own: true });
        self.figures.events.reallocations += 1;
        self.figures.events.bytes_reallocated += size as i64 - block.size as i64;
        if size > block.size {
            self.grow(size - block.size)
        } else {
            self.shrink(block.size - size)
        }
    }

    fn free(&mut self, slot: usize, by_itself: bool) {
        let block = self.slots[slot].take().expect("a block");
        if block.is_own {
            self.figures.retained.blocks -= 1;
            self.shrink(block.size);
        } else if by_itself {
            self.figures.released.bytes += block.size;
            self.figures.released.blocks += 1;
            self.figures.events.bytes_deallocated += block.size;
        }
        if block.is_own || by_itself {
            self.figures.events.deallocations += 1;
        }
    }
}

/// The size of the block that one test passes to another.
fn given(from: usize, to: usize) -> u64 {
    let mut size = 0;
    for step in plan(from) {
        match step {
            Step::Allocate { size: allocated, .. } => size = allocated,
            Step::Give { to: receiver, .. } if receiver == to => return size as u64,
            _ => {}
        }
    }
    panic!("test {from} leaves nothing to test {to}")
}
