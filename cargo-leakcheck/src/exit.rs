//! The exit codes of the command.

/// The exit code of the command.
///
/// If several apply, the first of [`Exit::BY_IMPORTANCE`] wins: codes that make the others unreliable come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Every test passed, and every leak is known.
    Clean = 0,
    /// A test leaked, or a figure exceeds the baseline by more than its tolerance.
    Leaks = 1,
    /// The command line is not valid.
    Usage = 2,
    /// A test failed for a reason other than a leak.
    TestsFailed = 3,
    /// The tests could not be built.
    BuildFailed = 4,
    /// A check could not see leaks: the counting allocator is not installed, or a limit that somebody wrote cannot be
    /// judged.
    Blind = 5,
    /// No test ran, or none of the tests that ran was checked, perhaps because all were skipped.
    NothingChecked = 6,
    /// Results are missing: a test process was killed, a report is cut off, or a shard is missing.
    Incomplete = 7,
    /// A file cannot be read or written, or a setting is not valid.
    Unusable = 8,
    /// The baseline lists leaks that are fixed; `cargo leakcheck baseline --update` removes them.
    StaleBaseline = 9,
}

impl Exit {
    /// Every code except success, the most important first.
    pub(crate) const BY_IMPORTANCE: [Self; 9] = [
        Self::Usage,
        Self::Unusable,
        Self::BuildFailed,
        Self::Blind,
        Self::Incomplete,
        Self::Leaks,
        Self::TestsFailed,
        Self::NothingChecked,
        Self::StaleBaseline,
    ];

    /// The number of the exit code.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    /// Its meaning in one line.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Clean => "every test passed and nothing new leaked",
            Self::Leaks => {
                "a test leaked, or a figure exceeds the baseline by more than its tolerance"
            }
            Self::Usage => "the command line is not valid",
            Self::TestsFailed => "a test failed for a reason other than a leak",
            Self::BuildFailed => "the tests could not be built",
            Self::Blind => {
                "a check could not see: the counting allocator is not installed, or a limit cannot be judged"
            }
            Self::NothingChecked => "no test ran, or none of the tests that ran was checked",
            Self::Incomplete => {
                "results are missing: a test process was killed, a report is cut off, or a shard is missing"
            }
            Self::Unusable => "a file cannot be read or written, or a setting is not valid",
            Self::StaleBaseline => {
                "the baseline lists leaks that are fixed (`baseline --update` removes them)"
            }
        }
    }

    /// The most important of several codes; success if there is none.
    pub(crate) fn most_important(exits: &[Self]) -> Self {
        Self::BY_IMPORTANCE.into_iter().find(|exit| exits.contains(exit)).unwrap_or(Self::Clean)
    }
}

/// The codes as a table for `--help`.
pub(crate) fn table() -> String {
    let mut all: Vec<Exit> = Exit::BY_IMPORTANCE.into_iter().chain([Exit::Clean]).collect();
    all.sort_by_key(|exit| exit.code());
    let lines = all.iter().map(|exit| format!("  {}  {}", exit.code(), exit.meaning()));
    format!("Exit codes:\n{}", lines.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_number_and_a_line_in_the_help() {
        let table = table();
        for code in 0..10 {
            assert_eq!(table.matches(&format!("\n  {code}  ")).count(), 1, "{table}");
        }
    }

    #[test]
    fn what_says_that_nothing_can_be_relied_on_comes_first() {
        assert_eq!(
            Exit::most_important(&[Exit::Leaks, Exit::Blind, Exit::TestsFailed]),
            Exit::Blind
        );
        assert_eq!(Exit::most_important(&[Exit::TestsFailed, Exit::Leaks]), Exit::Leaks);
        assert_eq!(Exit::most_important(&[]), Exit::Clean);
    }
}
