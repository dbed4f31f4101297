//! Reads the journal of a test process after the process has ended.

use std::fs;
use std::path::Path;

use leakcheck_report::journal::{Event, Line, Unwritten};
use leakcheck_report::run::{Program, Test};

/// Adds the contents of the journal to the record. With another target runner in between, the process
/// is unknown; the one that wrote first is used.
pub(crate) fn read(path: &Path, process: Option<u32>, record: &mut Program) {
    let Ok(text) = fs::read(path) else { return };
    let text = String::from_utf8_lossy(&text);
    // The last line of a killed process may be incomplete.
    let lines: Vec<Line> =
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let process = process.or_else(|| lines.first().map(|line| line.process));
    let own = lines.into_iter().filter(|line| Some(line.process) == process);
    let journal = Journal::of(own.map(|line| line.event));
    record.checks_all = journal.checks_all;
    record.unwritten = journal.unwritten;
    record.running = running(journal.open, record);
}

#[derive(Default)]
struct Journal {
    checks_all: bool,
    /// Checks that have started and not ended.
    open: Vec<(u64, Option<String>)>,
    unwritten: Vec<Unwritten>,
}

impl Journal {
    fn of(events: impl Iterator<Item = Event>) -> Self {
        let mut journal = Self::default();
        for event in events {
            match event {
                Event::ChecksAll => journal.checks_all = true,
                Event::Began { check, name } => journal.open.push((check, name)),
                Event::Ended { check } => journal.open.retain(|(open, _)| *open != check),
                Event::Unwritten(unwritten) => journal.unwritten.push(unwritten),
            }
        }
        journal
    }
}

/// The names of the open checks. A check of `check_all!` starts before its test has a name, so its
/// test is one that has started and not ended. libtest starts tests in the order of its list.
fn running(open: Vec<(u64, Option<String>)>, record: &Program) -> Vec<String> {
    let nameless = open.iter().filter(|(_, name)| name.is_none()).count();
    let mut names: Vec<String> = open.into_iter().filter_map(|(_, name)| name).collect();
    let tests = record.tests.as_deref().unwrap_or_default();
    let is_shuffled = record.arguments.iter().any(|argument| argument.starts_with("--shuffle"));
    let unfinished: Vec<&Test> = tests.iter().filter(|test| test.outcome.is_none()).collect();
    let begun = if is_shuffled && unfinished.len() > nameless { 0 } else { nameless };
    for test in unfinished.iter().take(begun) {
        if !names.contains(&test.name) {
            names.push(test.name.clone());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use leakcheck_report::run::Outcome;

    fn record(tests: &[(&str, bool)]) -> Program {
        let test = |(name, ended): &(&str, bool)| Test {
            name: (*name).to_owned(),
            outcome: ended.then_some(Outcome::Passed),
        };
        Program { tests: Some(tests.iter().map(test).collect()), ..Program::default() }
    }

    #[test]
    fn a_check_that_has_not_ended_is_running() {
        let began = |check, name: &str| Event::Began { check, name: Some(name.to_owned()) };
        let events = [began(1, "a"), began(2, "b"), Event::Ended { check: 1 }];
        let journal = Journal::of(events.into_iter());
        assert_eq!(running(journal.open, &record(&[])), ["b"]);
    }

    #[test]
    fn a_check_without_a_name_is_the_first_test_without_an_outcome() {
        let record = record(&[("a", true), ("b", false), ("c", true), ("d", false), ("e", false)]);
        assert_eq!(running(vec![(7, None), (8, None)], &record), ["b", "d"]);
        let shuffled = Program { arguments: vec!["--shuffle".to_owned()], ..record };
        assert!(running(vec![(7, None)], &shuffled).is_empty(), "it could be any");
    }
}
