//! Checks take little memory: for each thread, from the first one on, and after a deep recursion.

#![cfg(all(target_os = "linux", target_env = "gnu"))]

use leakcheck_tests::Fixture;

/// Runs one test alone and returns the number that it prints before `unit`.
#[track_caller]
fn printed(test: &str, unit: &str) -> usize {
    let run = Fixture::new("leaks", "size").run().only(test).arg("--nocapture").go();
    let stdout = run.stdout();
    let number = stdout.lines().find_map(|line| {
        let (before, _) = line.split_once(unit)?;
        before.split_whitespace().last()?.parse().ok()
    });
    number.unwrap_or_else(|| panic!("no number before `{unit}` in:\n{stdout}"))
}

#[test]
fn a_thread_that_allocates_little_takes_at_most_eight_kib() {
    let bytes = printed("of_many_threads", " bytes a thread");
    assert!((1..=8 << 10).contains(&bytes), "{bytes} bytes a thread");
}

#[test]
fn the_first_check_takes_at_most_three_hundred_kib() {
    let kib = printed("of_the_first_check", " KiB for a check");
    assert!((1..=300).contains(&kib), "{kib} KiB");
}

#[test]
fn the_memory_for_a_deep_stack_is_given_back() {
    let kib = printed("of_a_deep_stack", " KiB after a depth of");
    assert!((1..1000).contains(&kib), "{kib} KiB");
}
