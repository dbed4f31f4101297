//! Reads the file that libtest writes with `--logfile`: the list of tests, or their outcomes.
//!
//! Unlike standard output, tests do not write to this file.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use leakcheck_report::run::{Outcome, Test};

/// The extensions of the two files.
pub(crate) const TESTS: &str = "tests";
pub(crate) const OUTCOMES: &str = "outcomes";

/// Splits the arguments into those without `--logfile`, which libtest accepts only once, and its file.
pub(crate) fn without_logfile(
    arguments: &[OsString],
    remove: bool,
) -> (Vec<&OsStr>, Option<PathBuf>) {
    let mut kept = Vec::new();
    let mut file = None;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if remove && argument == "--logfile" {
            file = arguments.next().map(PathBuf::from);
        } else if let Some(path) =
            argument.to_str().and_then(|text| text.strip_prefix("--logfile="))
            && remove
        {
            file = Some(PathBuf::from(path));
        } else {
            kept.push(argument.as_os_str());
        }
    }
    (kept, file)
}

/// The names of the tests that `--list` has written, or `None` if there is no file.
pub(crate) fn read_list(path: &Path) -> Option<Vec<String>> {
    let text = String::from_utf8_lossy(&fs::read(path).ok()?).into_owned();
    let name = |line: &str| {
        let (_, name) = line.split_once(' ').filter(|(kind, _)| is_kind(kind))?;
        Some(name.to_owned())
    };
    Some(text.lines().filter_map(name).collect())
}

fn is_kind(word: &str) -> bool {
    matches!(word, "test" | "benchmark")
}

/// Adds the outcomes to the tests.
pub(crate) fn read_outcomes(path: &Path, tests: &mut [Test]) {
    let Ok(text) = fs::read(path) else { return };
    outcomes(&String::from_utf8_lossy(&text), tests);
}

/// A line has the outcome, an optional message after a colon, and the name. The message may span
/// several lines.
fn outcomes(text: &str, tests: &mut [Test]) {
    let mut open = None;
    for line in text.lines() {
        let (outcome, rest) = match begin(line) {
            Some(found) => found,
            None => match open {
                Some(outcome) => (outcome, line),
                None => continue,
            },
        };
        let named = tests.iter_mut().find(|test| {
            let before = rest.strip_suffix(test.name.as_str());
            before.is_some_and(|before| before.is_empty() || before.ends_with(' '))
        });
        open = match named {
            Some(test) => {
                test.outcome.get_or_insert(outcome);
                None
            }
            None => Some(outcome),
        };
    }
}

fn begin(line: &str) -> Option<(Outcome, &str)> {
    let words =
        [("ok", Outcome::Passed), ("failed", Outcome::Failed), ("ignored", Outcome::Ignored)];
    words.into_iter().find_map(|(word, outcome)| {
        let rest = line.strip_prefix(word)?;
        rest.starts_with([' ', ':']).then_some((outcome, rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(names: &[&str], text: &str) -> Vec<Option<Outcome>> {
        let test = |name: &&str| Test { name: (*name).to_owned(), outcome: None };
        let mut tests: Vec<Test> = names.iter().map(test).collect();
        outcomes(text, &mut tests);
        tests.into_iter().map(|test| test.outcome).collect()
    }

    #[test]
    fn every_outcome_is_read_and_none_is_invented() {
        use Outcome::{Failed, Ignored, Passed};
        let text = "ignored: why not b\nok a\nfailed: test did not panic as expected at t.rs:1:129 d\n\
                    failed c\nok phantom\n";
        let read = read(&["a", "b", "c", "d", "e"], text);
        assert_eq!(read, [Some(Passed), Some(Ignored), Some(Failed), Some(Failed), None]);
    }

    #[test]
    fn a_message_of_several_lines_ends_with_the_name() {
        let text = "failed: panic did not contain expected string\n      panic message: \"x\"\n expected \
                    substring: \"y\" m::d\nok m::e\n";
        assert_eq!(read(&["m::d", "m::e"], text), [Some(Outcome::Failed), Some(Outcome::Passed)]);
    }

    #[test]
    fn a_name_that_ends_like_another_is_told_apart() {
        assert_eq!(read(&["b", "a::b"], "ok a::b\n"), [None, Some(Outcome::Passed)]);
    }

    #[test]
    fn a_logfile_of_the_user_is_found() {
        let arguments = ["--logfile", "a", "x"].map(OsString::from);
        let (kept, file) = without_logfile(&arguments, true);
        assert_eq!((kept, file), (vec![OsStr::new("x")], Some("a".into())));
        let arguments = ["--logfile=b".into()];
        assert_eq!(without_logfile(&arguments, true), (vec![], Some("b".into())));
        assert_eq!(without_logfile(&arguments, false).0, ["--logfile=b"]);
    }
}
