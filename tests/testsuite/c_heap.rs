//! The C heap is judged separately from Rust's blocks, if a test has the process to itself.

use leakcheck_tests::{Finished, Fixture, Outcome, Report};

const MB: i64 = 1 << 20;

#[test]
fn memory_that_c_code_leaks_is_counted() {
    for test in ["keeps_3_mib", "keeps_one_block_of_3_mib"] {
        let run = run(test);
        assert_eq!(run.outcome(test), Outcome::Failed);
        let grown = grown(run.report(test));
        assert!((3 * MB - MB / 20..3 * MB + MB / 5).contains(&grown), "`{test}`: {grown}");
        let said = run.output(test);
        assert!(said.contains(&format!("`{test}` grew the C heap by at least ")), "{said}");
        assert!(said.contains(", limit 1.00 MiB (c_heap_mb)"), "{said}");
        assert!(said.contains("  C heap: grew by at least "), "{said}");
    }
}

#[test]
fn growth_up_to_the_limit_passes() {
    let test = "keeps_3_mib_within_its_limit";
    assert_eq!(run(test).outcome(test), Outcome::Passed);
}

#[test]
fn freed_memory_and_blocks_of_rust_do_not_count() {
    for test in ["frees_everything", "keeps_only_rust_blocks"] {
        let run = run(test);
        assert_eq!(run.outcome(test), Outcome::Passed, "{}", run.output(test));
        let grown = grown(run.report(test));
        assert!(grown < MB / 4, "`{test}`: {grown}");
    }
}

#[test]
fn what_malloc_caches_for_the_test_does_not_count() {
    let test = "fills_the_caches_of_malloc";
    let run = run(test);
    assert_eq!(run.outcome(test), Outcome::Passed, "{}", run.output(test));
}

#[test]
fn a_repeated_check_waits_for_threads_of_later_tests_that_are_starting() {
    let test = "in_parallel_to_a_late_test::a_leaves_100_kib_in_each_call";
    let run = C_HEAP.run().arg("in_parallel_to_a_late_test").threads(2).go();
    assert_eq!(run.outcome(test), Outcome::Failed);
    let said = run.output(test);
    assert!(said.contains("grows the C heap by 10"), "{said}");
    assert!(!run.report(test).leaves_unjudged("c_heap_bytes"), "{said}");
}

#[test]
fn memory_of_leakcheck_itself_does_not_count() {
    let test = "keeps_rust_blocks_over_their_limit";
    let run = run(test);
    let said = run.output(test);
    assert!(said.contains("leaked 1,000 B") && !said.contains("C heap"), "{said}");
    let grown = grown(run.report(test));
    assert!(grown.abs() < MB / 4, "{grown}");
}

#[test]
fn a_limit_of_the_c_heap_fails_if_other_tests_run_in_the_process() {
    let test = "keeps_3_mib_with_a_check_of_test_scope";
    let run = run(test);
    assert_eq!(run.outcome(test), Outcome::Failed);
    assert!(run.report(test).is_unjudged("c_heap_bytes"));
    let said = run.output(test);
    let headline = "cannot be judged by limit 1.00 MiB (c_heap_mb): it is known for a whole process \
                    only; run it under nextest or with `scope = \"process\"`";
    assert!(said.contains(headline), "{said}");
}

#[test]
fn under_nextest_the_c_heap_of_every_test_is_judged() {
    let test = "keeps_3_mib_with_a_check_of_test_scope";
    let run = C_HEAP.run().only(test).env("NEXTEST_EXECUTION_MODE", "process-per-test").go();
    assert_eq!(run.outcome(test), Outcome::Failed);
}

#[test]
fn blocks_of_a_custom_allocator_are_not_in_the_c_heap() {
    let own = C_HEAP.with_features("threads,mimalloc");
    let test = "keeps_3_mib";
    let run = own.run().only(test).threads(1).go();
    assert_eq!(run.outcome(test), Outcome::Failed);
    let grown = grown(run.report(test));
    assert!((3 * MB - MB / 20..3 * MB + MB / 5).contains(&grown), "{grown}");
    let test = "keeps_only_rust_blocks";
    let run = own.run().only(test).threads(1).go();
    assert_eq!(run.outcome(test), Outcome::Passed, "{}", run.output(test));
}

const C_HEAP: Fixture = Fixture::new("leaks", "c_heap");

fn run(test: &str) -> Finished {
    C_HEAP.run().only(test).threads(1).go()
}

#[track_caller]
fn grown(report: &Report) -> i64 {
    report.number("/figures/c_heap_bytes").expect("it is known")
}
