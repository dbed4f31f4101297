//! The command line.

use crate::Result;

const USAGE: &str = "\
usage: cargo run -p leakcheck-benches -- BENCHMARK... [ROUNDS] [--write]

  dev, dev-opt, release   workloads W1 to W6 under each rival, in that profile
  threads                 W1 on 1, 2 and 4 threads
  depth                   allocations below 5, 20 and 100 calls
  sites                   allocations from 10 to 1,000,000 distinct call stacks
  size                    memory a thread, time by depth, and reports of many call stacks
  memory                  peak resident memory, compared with the system allocator
  suite                   test suites of published crates, with and without leakcheck
  build                   build time of a dev-dependency on leakcheck
  reports                 time and memory to write each report format for 5,000 tests
  gather                  the same for a run that gathers one file per test
  all                     all of the above

ROUNDS   number of runs of each program, in turns; medians are reported
--write  write the tables to benches/README.md";

/// A benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Benchmark {
    Dev,
    DevOpt,
    Release,
    Threads,
    Depth,
    Sites,
    Size,
    Memory,
    Suite,
    Build,
    Reports,
    Gather,
}

impl Benchmark {
    pub(crate) const ALL: [Self; 12] = [
        Self::Dev,
        Self::DevOpt,
        Self::Release,
        Self::Threads,
        Self::Depth,
        Self::Sites,
        Self::Size,
        Self::Memory,
        Self::Suite,
        Self::Build,
        Self::Reports,
        Self::Gather,
    ];

    /// The name on the command line and in `benches/README.md`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::DevOpt => "dev-opt",
            Self::Release => "release",
            Self::Threads => "threads",
            Self::Depth => "depth",
            Self::Sites => "sites",
            Self::Size => "size",
            Self::Memory => "memory",
            Self::Suite => "suite",
            Self::Build => "build",
            Self::Reports => "reports",
            Self::Gather => "gather",
        }
    }

    /// The default number of rounds: fewer if the figures of a benchmark hardly vary.
    pub(crate) fn default_rounds(self) -> usize {
        match self {
            Self::Memory => 1,
            Self::Sites | Self::Size | Self::Build => 3,
            _ => 5,
        }
    }
}

/// The parsed command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) benchmarks: Vec<Benchmark>,
    pub(crate) rounds: Option<usize>,
    pub(crate) write: bool,
}

impl Arguments {
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut parsed = Self { benchmarks: Vec::new(), rounds: None, write: false };
        for argument in arguments {
            match argument.as_str() {
                "--write" => parsed.write = true,
                "all" => parsed.benchmarks.extend(Benchmark::ALL),
                name => match Benchmark::ALL.into_iter().find(|benchmark| benchmark.name() == name)
                {
                    Some(benchmark) => parsed.benchmarks.push(benchmark),
                    None => parsed.rounds = Some(parse_rounds(name)?),
                },
            }
        }
        if parsed.benchmarks.is_empty() { Err(USAGE.to_owned()) } else { Ok(parsed) }
    }
}

fn parse_rounds(text: &str) -> Result<usize> {
    match text.parse() {
        Ok(rounds) if rounds > 0 => Ok(rounds),
        _ => Err(format!("`{text}` is neither a benchmark nor a number of rounds\n\n{USAGE}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_benchmark_can_have_a_number_of_rounds() {
        let expected =
            Arguments { benchmarks: vec![Benchmark::DevOpt], rounds: Some(7), write: true };
        assert_eq!(parse("dev-opt 7 --write"), Ok(expected));
    }

    #[test]
    fn all_means_every_benchmark() {
        assert_eq!(parse("all").unwrap().benchmarks, Benchmark::ALL);
        for benchmark in Benchmark::ALL {
            assert!(
                USAGE.contains(&format!(" {}", benchmark.name())),
                "{benchmark:?} is not in the usage"
            );
        }
    }

    #[test]
    fn an_unknown_argument_is_named() {
        for line in ["dev 0", "dev many", "dev --rounds"] {
            let why = parse(line).unwrap_err();
            let last = line.rsplit(' ').next().unwrap();
            assert!(why.starts_with(&format!("`{last}` is neither")), "{why}");
        }
        assert!(parse("5").unwrap_err().starts_with("usage:"));
    }
}
