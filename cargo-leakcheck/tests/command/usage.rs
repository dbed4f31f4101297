//! The command line.

use crate::support::exit::{CLEAN, USAGE};
use crate::support::shop::visit;

#[test]
fn an_error_on_the_command_line_exits_with_usage() {
    let said = visit("", &["--no-such-flag"]).ends_with(USAGE);
    assert!(said.stderr.contains("--no-such-flag"), "{}", said.stderr);
    visit("", &["--partition", "half"]).ends_with(USAGE);
    visit("", &["--runner", "cargo", "--partition", "hash:1/2"]).ends_with(USAGE);
    let said = visit("", &["--report", "report.txt"]).ends_with(USAGE);
    assert!(said.stderr.contains("its extension does not imply a format"), "{}", said.stderr);
    let said = visit("", &["--help"]).ends_with(CLEAN);
    assert!(said.stdout.contains("Exit codes:"), "{}", said.stdout);
}

#[test]
fn the_documented_exit_codes_match_the_help() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/command.md"))
        .unwrap();
    let help = visit("", &["--help"]).ends_with(CLEAN).stdout;
    let codes = help.split("Exit codes:\n").nth(1).unwrap();
    let lines: Vec<(&str, &str)> =
        codes.lines().filter_map(|line| line.trim().split_once("  ")).collect();
    assert_eq!(lines.len(), 10, "{codes}");
    for (code, meaning) in lines {
        let row = page.lines().find(|line| line.starts_with(&format!("| {code} | ")));
        assert!(
            row.is_some_and(|row| row.ends_with(&format!(" | {meaning} |"))),
            "{code}: {meaning}"
        );
    }
}
