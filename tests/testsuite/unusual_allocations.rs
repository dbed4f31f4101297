//! Figures are exact, and nothing crashes, however and whenever a program allocates.

use leakcheck_tests::{Amount, Finished, Fixture, Growth, Outcome};

/// The memory that the tests of the fixture leak.
const KEPT: Amount = Amount { bytes: 100, blocks: 1 };

#[test]
fn a_thread_local_destructor_is_charged_to_its_test() {
    leaks("thread_local_destructor", KEPT);
}

#[test]
fn a_thread_local_destructor_after_the_check_belongs_to_no_test() {
    passes("unusual_contexts", "thread_local_destructor_after_the_check");
}

#[test]
fn a_handler_at_exit_can_allocate_and_measure() {
    let run = passes("unusual_contexts", "exit_handler");
    assert!(run.stdout().ends_with("kept at exit: 100\n"), "{}", run.stdout());
}

#[test]
fn a_panic_hook_is_charged_to_its_test() {
    leaks("panic_hook", KEPT);
}

#[test]
fn a_signal_handler_is_charged_to_the_test_that_it_interrupts() {
    leaks("signal_handler", KEPT);
}

#[test]
fn a_thread_that_waits_for_signals_is_charged_to_its_test() {
    leaks("thread_waiting_for_signals", KEPT);
}

#[test]
fn the_child_of_a_fork_can_allocate_and_measure() {
    passes("unusual_contexts", "forked_child");
}

#[test]
fn a_thousand_threads_are_counted_to_the_byte() {
    leaks("a_thousand_threads", Amount { bytes: 1000 * 1001 / 2, blocks: 1000 });
}

#[test]
fn the_thread_table_of_std_belongs_to_no_test() {
    let run = passes("unusual_contexts", "thread_table_of_std");
    for number in 0..40 {
        assert_eq!(run.report(&format!("clean {number}")).verdict.is, "passed");
        let judged = run.report(&format!("leaky {number}")).judged;
        assert_eq!(judged, Some(Growth { bytes: 1, blocks: 1 }), "{number}");
    }
}

#[test]
fn blocks_of_every_alignment_are_counted_to_the_byte() {
    passes("unusual_blocks", "every_alignment");
}

#[test]
fn zeroed_blocks_are_zero() {
    passes("unusual_blocks", "zeroed");
}

#[test]
fn zero_sized_values_are_not_blocks() {
    passes("unusual_blocks", "zero_sized");
}

#[test]
fn an_allocation_that_fails_counts_nothing() {
    passes("unusual_blocks", "failed_allocation");
}

#[test]
fn a_resize_by_the_owner_is_counted_to_the_byte() {
    passes("unusual_blocks", "resized_by_the_owner");
}

#[test]
fn resizing_a_block_of_another_owner_is_a_release_and_an_allocation() {
    passes("unusual_blocks", "resized_without_an_owner");
    passes("unusual_blocks", "resized_of_a_closed_region");
    passes("unusual_blocks", "resized_of_an_open_region");
    passes("unusual_blocks", "resized_of_the_outer_region");
}

#[test]
fn a_block_resized_outside_of_regions_keeps_its_owner() {
    passes("unusual_blocks", "resized_outside_of_any_region");
}

#[test]
fn stats_alloc_agrees_with_the_ledger() {
    passes("unusual_blocks", "counted_by_stats_alloc");
}

fn passes(target: &'static str, test: &str) -> Finished {
    let run = Fixture::new("leaks", target).run().only(test).go();
    assert_eq!(run.outcome(test), Outcome::Passed, "{}", run.stdout());
    run
}

fn leaks(test: &str, kept: Amount) {
    let run = Fixture::new("leaks", "unusual_contexts").run().only(test).go();
    assert_eq!(run.outcome(test), Outcome::Failed, "{}", run.stdout());
    let report = run.report(test);
    assert_eq!(report.verdict.is, "leaked");
    assert_eq!(report.retained_through("keep"), kept);
    let allowed: u64 = report.allowed.iter().map(|allowed| allowed.amount.bytes).sum();
    assert_eq!(report.figures().retained.bytes, kept.bytes + allowed, "{report:#?}");
}
