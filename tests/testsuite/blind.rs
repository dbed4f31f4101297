//! A check without a counting allocator fails, whatever its test does.

use leakcheck_tests::{Fixture, Outcome};

const SIGHT: Fixture = Fixture::new("leaks", "sight");

#[test]
fn without_the_allocator_every_check_fails_and_says_how_to_install_it() {
    let run = SIGHT.with_features("threads").run().go();
    let need_no_sight = ["allowed_and_carried", "skipped"];
    for (test, outcome) in run.outcomes() {
        if need_no_sight.contains(&&**test) {
            assert_eq!(*outcome, Outcome::Passed, "`{test}`");
            continue;
        }
        assert_eq!(*outcome, Outcome::Failed, "`{test}`");
        let said = run.said(test);
        assert!(said.contains("leakcheck: the counting allocator is not installed"), "{said}");
        assert!(said.contains("#[global_allocator]"), "{said}");
        assert!(said.contains("leakcheck::install!();"), "{said}");
    }
    assert_eq!(run.outcomes().len(), 9);
}

#[test]
fn a_check_sees_with_the_install_feature() {
    check_seen(SIGHT);
}

#[test]
fn a_check_sees_with_the_install_macro() {
    check_seen(SIGHT.with_features("threads,by-hand"));
}

#[test]
fn a_check_sees_with_a_custom_allocator() {
    check_seen(SIGHT.with_features("threads,mimalloc"));
}

fn check_seen(sight: Fixture) {
    let run = sight.run().go();
    for (test, outcome) in run.outcomes() {
        let expected = if test == "leaks" { Outcome::Failed } else { Outcome::Passed };
        assert_eq!(*outcome, expected, "`{test}`: {}", run.said(test));
    }
    assert_eq!(run.outcomes().len(), 9);
    assert_eq!(run.report("leaks").figures().retained.bytes, 1000);
}
