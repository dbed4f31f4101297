//! Parts of a suite, which nextest selects.

use crate::support::exit::{CLEAN, NOTHING_CHECKED, UNUSABLE};
use crate::support::project::Project;

const ONE_TEST: &str = "#[cfg(test)]\nleakcheck::check_all!();\n#[cfg(test)]\nmod tests { #[test] fn is_clean() {} }\n";

#[test]
fn an_empty_shard_passes_and_an_empty_suite_fails() {
    let app = Project::app("", ONE_TEST);
    for (part, file) in [("count:1/2", "one.json"), ("count:2/2", "two.json")] {
        app.run(&["--partition", part, "--report", file]).ends_with(CLEAN);
    }
    let said = app.run(&["merge", "one.json", "two.json"]).ends_with(CLEAN);
    assert!(said.stdout.contains("1 test: 1 passed"), "{}", said.stdout);
    app.run(&["--runner", "nextest", "-E", "test(no_such_test)"]).ends_with(NOTHING_CHECKED);
}

#[test]
fn a_program_that_lists_no_tests_is_reported_and_can_be_excluded() {
    let app = Project::app("\n[[test]]\nname = \"own\"\nharness = false\n", ONE_TEST);
    app.folder().write("tests/own.rs", "fn main() { println!(\"my own harness\") }\n");
    let said = app.run(&["--runner", "nextest"]).ends_with(UNUSABLE);
    assert!(said.stderr.contains("cannot list the tests"), "{}", said.stderr);
    app.run(&["--runner", "nextest", "-E", "not binary(own)"]).ends_with(CLEAN);
}
