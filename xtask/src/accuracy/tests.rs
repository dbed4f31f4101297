use super::*;
use crate::corpus::cases::CASES;
use std::path::PathBuf;
use tally::{Score, percent};

#[test]
fn a_failing_test_with_a_report_tells_of_a_leak() {
    let text = "---- alone stdout ----\nleakcheck: `alone` leaks 8 B per call (63 calls)\n";
    assert_eq!(Tool::Alone.said(Some(101), text), Some(Said::Leak));
    assert_eq!(Tool::Alone.said(Some(101), "thread 'alone' panicked"), None);
    assert_eq!(Tool::Alone.said(None, text), None);
}

#[test]
fn tests_that_pass_tell_nothing_and_no_tests_are_none() {
    let said = |text| Tool::Copies.said(Some(0), text);
    assert_eq!(said("test result: ok. 4 passed; 0 failed"), Some(Said::Nothing));
    assert_eq!(said("test result: ok. 0 passed; 0 failed"), Some(Said::HasNone));
    assert_eq!(said(""), None);
}

#[test]
fn rivals_tell_by_how_they_end() {
    let said = |code| Tool::Dhat.said(code, "");
    let expected = [Some(Said::Nothing), Some(Said::Leak), None, None];
    assert_eq!([Some(0), Some(23), Some(101), None].map(said), expected);
}

#[test]
fn cargo_says_where_a_program_is() {
    let said =
        "    Finished `test` profile\n  Executable ../../repeated.rs (/t/debug/repeated-1f)\n";
    assert_eq!(programs::executable(said), Some(PathBuf::from("/t/debug/repeated-1f")));
}

#[test]
fn leaks_that_nothing_of_a_test_shows_do_not_count() {
    let case = |name: &str| CASES.iter().find(|case| case.name == name).unwrap();
    let mut tally = Tally::new(20);
    tally.count(case("lru-clear"), Variant::Leaky, Tool::Alone, 19);
    tally.count(case("lru-clear"), Variant::Fixed, Tool::Alone, 0);
    tally.count(case("onig-match-param"), Variant::Leaky, Tool::Alone, 0);
    tally.count(case("quiet-lru-bounded"), Variant::Quiet, Tool::Alone, 1);
    tally.count(case("quiet-lru-bounded"), Variant::Quiet, Tool::Lsan, 9);
    let score = tally.score(Tool::Alone);
    assert_eq!(score, Score { found: 19, leaky: 20, alarms: 1, clean: 40 });
    assert_eq!((score.precision(), score.recall()), (Some(0.95), Some(0.95)));
}

#[test]
fn only_what_is_perfect_is_a_hundred_percent() {
    assert_eq!([Some(1.0), Some(0.9999), None].map(percent), ["100.0 %", "99.9 %", "–"]);
}

#[test]
fn only_what_is_between_the_marks_is_replaced() {
    let page = "a\n<!-- begin tables -->\nold\n<!-- end tables -->\nb\n";
    let new = "a\n<!-- begin tables -->\n\nnew\n\n<!-- end tables -->\nb\n";
    assert_eq!(page::replace(page, "new").as_deref(), Some(new));
    assert_eq!(page::replace(new, "new").as_deref(), Some(new));
    assert_eq!(page::replace("a", "new"), None);
}
