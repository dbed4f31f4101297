//! A check without a counting allocator fails, whatever its test does.

use leakcheck_tests::{Fixture, Outcome};

const CHECKS: Fixture = Fixture::new("leaks", "blind");

#[test]
fn without_the_allocator_every_check_fails_and_says_how_to_install_it() {
    let run = CHECKS.with_features("threads").run().go();
    let need_no_allocator = ["uses_allow_and_a_context", "skipped"];
    for (test, outcome) in run.outcomes() {
        if need_no_allocator.contains(&&**test) {
            assert_eq!(*outcome, Outcome::Passed, "`{test}`");
            continue;
        }
        assert_eq!(*outcome, Outcome::Failed, "`{test}`");
        let said = run.output(test);
        assert!(said.contains("leakcheck: the counting allocator is not installed"), "{said}");
        assert!(said.contains("#[global_allocator]"), "{said}");
        assert!(said.contains("leakcheck::install!();"), "{said}");
    }
    assert_eq!(run.outcomes().len(), 9);
}

#[test]
fn a_check_sees_with_the_install_feature() {
    check_sees(CHECKS);
}

#[test]
fn a_check_sees_with_the_install_macro() {
    check_sees(CHECKS.with_features("threads,by-hand"));
}

#[test]
fn a_check_sees_with_a_custom_allocator() {
    check_sees(CHECKS.with_features("threads,mimalloc"));
}

fn check_sees(fixture: Fixture) {
    let run = fixture.run().go();
    for (test, outcome) in run.outcomes() {
        let expected = if test == "leaks" { Outcome::Failed } else { Outcome::Passed };
        assert_eq!(*outcome, expected, "`{test}`: {}", run.output(test));
    }
    assert_eq!(run.outcomes().len(), 9);
    assert_eq!(run.report("leaks").figures().retained.bytes, 1000);
}
