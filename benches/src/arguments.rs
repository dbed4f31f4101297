//! The command line.

use crate::Result;

const USAGE: &str = "\
usage: cargo run -p leakcheck-benches -- WHAT [ROUNDS] [--write]

  dev, dev-opt, release   W1 to W6 under each rival, in that profile
  threads                 W1 on 1, 2 and 4 threads
  depth                   blocks made below 5, 20 and 100 calls
  sites                   10 to 1,000,000 distinct call stacks
  memory                  what is resident beyond what the system's allocator needs
  suite                   test suites of published crates, with and without leakcheck
  build                   what the dependency costs to build
  reports                 the command's reports of 5,000 tests
  gather                  the same, with a file for each test to be gathered
  all                     all of these, one after the other

ROUNDS   how often each program runs, in turns; medians count
--write  puts the tables into benches/README.md";

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Dev,
    DevOpt,
    Release,
    Threads,
    Depth,
    Sites,
    Memory,
    Suite,
    Build,
    Reports,
    Gather,
}

impl What {
    pub(crate) const ALL: [Self; 11] = [
        Self::Dev,
        Self::DevOpt,
        Self::Release,
        Self::Threads,
        Self::Depth,
        Self::Sites,
        Self::Memory,
        Self::Suite,
        Self::Build,
        Self::Reports,
        Self::Gather,
    ];

    /// As the command line and the page call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::DevOpt => "dev-opt",
            Self::Release => "release",
            Self::Threads => "threads",
            Self::Depth => "depth",
            Self::Sites => "sites",
            Self::Memory => "memory",
            Self::Suite => "suite",
            Self::Build => "build",
            Self::Reports => "reports",
            Self::Gather => "gather",
        }
    }

    /// How many rounds there are where nobody says: fewer where figures hardly differ.
    pub(crate) fn rounds(self) -> usize {
        match self {
            Self::Memory => 1,
            Self::Sites | Self::Build => 3,
            _ => 5,
        }
    }
}

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) what: Vec<What>,
    pub(crate) rounds: Option<usize>,
    pub(crate) write: bool,
}

impl Arguments {
    pub(crate) fn read(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut read = Self { what: Vec::new(), rounds: None, write: false };
        for argument in arguments {
            match argument.as_str() {
                "--write" => read.write = true,
                "all" => read.what.extend(What::ALL),
                name => match What::ALL.into_iter().find(|what| what.name() == name) {
                    Some(what) => read.what.push(what),
                    None => read.rounds = Some(rounds(name)?),
                },
            }
        }
        if read.what.is_empty() { Err(USAGE.to_owned()) } else { Ok(read) }
    }
}

fn rounds(text: &str) -> Result<usize> {
    match text.parse() {
        Ok(rounds) if rounds > 0 => Ok(rounds),
        _ => Err(format!("`{text}` is neither to be measured nor a number of rounds\n\n{USAGE}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Arguments> {
        Arguments::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_is_measured_comes_with_a_number_of_rounds() {
        let asked = Arguments { what: vec![What::DevOpt], rounds: Some(7), write: true };
        assert_eq!(read("dev-opt 7 --write"), Ok(asked));
    }

    #[test]
    fn all_is_everything_that_has_a_name() {
        assert_eq!(read("all").unwrap().what, What::ALL);
        for what in What::ALL {
            assert!(USAGE.contains(&format!(" {}", what.name())), "{what:?} is in the usage");
        }
    }

    #[test]
    fn what_is_not_known_is_named() {
        for wrong in ["dev 0", "dev many", "dev --rounds"] {
            let why = read(wrong).unwrap_err();
            let last = wrong.rsplit(' ').next().unwrap();
            assert!(why.starts_with(&format!("`{last}` is neither")), "{why}");
        }
        assert!(read("5").unwrap_err().starts_with("usage:"));
    }
}
