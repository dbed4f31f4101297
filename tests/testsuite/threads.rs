//! A test is charged with the memory of its own threads, and not with that of other tests' threads.

use leakcheck_tests::{Amount, Figures, Finished, Fixture, Growth, Outcome};

const ROUNDS: usize = 4;

#[test]
fn a_thread_belongs_to_the_test_that_started_it() {
    check_kept(Fixture::new("leaks", "threads"), 14);
}

#[test]
fn without_the_threads_feature_threads_of_std_still_belong_to_their_test() {
    check_kept(Fixture::new("leaks", "threads").with_features("install"), 12);
}

/// The names of the tests contain the number of bytes that their threads keep.
fn check_kept(threads: Fixture, tests: usize) {
    for round in 0..ROUNDS {
        let run = threads.run().threads(16).go();
        assert_eq!(run.outcomes().len(), tests, "{}", run.stdout());
        for (test, outcome) in run.outcomes() {
            let (_, kept) = test.rsplit_once("_keeps_").expect("the name says what is kept");
            let kept: u64 = kept.parse().expect("a number");
            let report = run.report(test);
            assert_eq!(report.retained_through("keep").bytes, kept, "`{test}` in round {round}");
            let expected = if kept > 0 { Outcome::Failed } else { Outcome::Passed };
            assert_eq!(*outcome, expected, "`{test}` in round {round}: {report:#?}");
            // The crate of a pool keeps some memory in statics; std keeps none.
            if kept > 0 && !test.starts_with("own_") {
                let judged = Growth { bytes: kept as i64, blocks: 1 };
                assert_eq!(report.judged, Some(judged), "`{test}` in round {round}");
            }
        }
    }
}

#[test]
fn a_running_thread_is_named_with_where_it_was_started() {
    let run = running("leaves_a_sweeper_running");
    assert_eq!(run.outcome("leaves_a_sweeper_running"), Outcome::Failed);
    let said = run.output("leaves_a_sweeper_running");
    assert!(
        said.contains("`leaves_a_sweeper_running` left 1 thread running, limit 0 (threads)"),
        "{said}"
    );
    let place = "still running: 1 thread (`sweeper`, started at leaks/tests/running.rs:";
    assert!(said.contains(place), "{said}");
    let [thread] = &run.report("leaves_a_sweeper_running").threads[..] else {
        panic!("one thread")
    };
    assert_eq!(thread.name, "sweeper");
    assert!(thread.started_at.iter().any(|frame| frame.is_in("start")), "{thread:#?}");
}

#[test]
fn threads_that_are_not_started_by_pthread_create_count_too() {
    for test in [
        "leaves_a_thread_of_c_running",
        "leaves_a_thread_of_c_running_that_allocates",
        "leaves_a_thread_of_the_kernel_running",
    ] {
        let run = running(test);
        assert_eq!(run.outcome(test), Outcome::Failed, "{test}: {}", run.stdout());
        let headline = format!("`{test}` left 1 thread running, limit 0 (threads)");
        assert!(run.output(test).contains(&headline), "{}", run.output(test));
        let [thread] = &run.report(test).threads[..] else { panic!("one thread") };
        assert!(thread.started_at.is_empty(), "{thread:#?}");
    }
    for test in [
        "leaves_a_thread_of_c_running_and_may",
        "ends_a_thread_of_c",
        "starts_a_thread_of_c_around_a_check",
        "starts_and_ends_threads_while_they_are_listed",
    ] {
        let run = running(test);
        assert_eq!(run.outcome(test), Outcome::Passed, "{test}: {}", run.output(test));
    }
}

#[test]
fn a_limit_of_threads_fails_if_it_is_not_known_which_test_started_them() {
    let both = ["leaves_a_thread_of_c_running", "leaves_a_thread_of_c_running_that_allocates"];
    let run = Fixture::new("leaks", "running").run().arg("--exact").arg(both[0]).arg(both[1]);
    let run = run.threads(2).go();
    for test in both {
        assert_eq!(run.outcome(test), Outcome::Failed, "{test}: {}", run.stdout());
    }
}

#[test]
fn threads_up_to_the_limit_may_run() {
    let run = running("leaves_two_running_within_its_limit");
    assert_eq!(run.outcome("leaves_two_running_within_its_limit"), Outcome::Passed);
    let threads = &run.report("leaves_two_running_within_its_limit").threads;
    let mut names: Vec<&str> = threads.iter().map(|thread| &*thread.name).collect();
    names.sort_unstable();
    assert_eq!(names, ["first", "second"]);
}

#[test]
fn a_joined_thread_does_not_count_as_running() {
    assert_eq!(running("joins_its_thread").outcome("joins_its_thread"), Outcome::Passed);
}

#[test]
fn a_check_waits_for_a_thread_that_is_about_to_end() {
    let test = "detaches_a_thread_that_is_ending";
    assert_eq!(running(test).outcome(test), Outcome::Passed);
}

#[test]
fn a_measurement_names_its_running_threads() {
    assert_eq!(running("names_running_threads").outcome("names_running_threads"), Outcome::Passed);
}

#[test]
fn a_thread_limit_fails_if_threads_cannot_be_followed() {
    let test = "joins_its_thread";
    let run = Fixture::new("leaks", "running").with_features("install").run().only(test).go();
    assert_eq!(run.outcome(test), Outcome::Failed);
    let said = run.output(test);
    assert!(said.contains("leakcheck: `threads` needs threads to be followed"), "{said}");
}

#[test]
fn a_thread_that_outlives_its_check_does_not_affect_a_later_one() {
    let run = running("continues_in_a_later_check");
    let kept_and_freed = Growth { bytes: 700, blocks: 0 };
    let nothing = Figures { unattributed: kept_and_freed, ..Figures::default() };
    assert_eq!(run.report("later").figures(), nothing);
    assert_eq!(run.outcome("continues_in_a_later_check"), Outcome::Passed);
    let kept = run.report("first").retained_through("keep");
    assert_eq!(kept, Amount { bytes: 1000, blocks: 1 });
}

#[test]
fn a_thread_that_outlives_its_region_does_not_share_its_slot_with_a_later_one() {
    let run = running("continues_in_many_later_regions");
    assert_eq!(run.outcome("continues_in_many_later_regions"), Outcome::Passed, "{}", run.stdout());
}

/// Runs a test on the main thread, so that no other thread of libtest adds unattributed memory.
fn running(test: &str) -> Finished {
    Fixture::new("leaks", "running").run().only(test).threads(1).go()
}
