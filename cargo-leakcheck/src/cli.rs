//! What the command can be told.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::formats::Target;
use crate::iterations::Iterations;
use crate::workspace::Query;

/// As cargo calls it: `cargo-leakcheck leakcheck …`.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo", disable_help_subcommand = true)]
pub(crate) enum Cargo {
    Leakcheck(Leakcheck),
}

/// Run a test suite under leakcheck: one table, one page, one gate for CI
#[derive(Debug, Args)]
#[command(version, about, args_conflicts_with_subcommands = true, after_help = crate::exit::table())]
pub(crate) struct Leakcheck {
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run the suite and write what it leaks today as the baseline: only what is new fails from then on
    Baseline(Box<BaselineArgs>),
    /// Compare two runs, as JSON reports have them
    Diff(DiffArgs),
    /// Join the runs of several machines, or write the reports of one run again
    Merge(MergeArgs),
    /// Show which settings are in force, and where they come from
    Config(ConfigArgs),
}

/// Arguments of a run.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) leaks: LeakArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    /// Arguments for libtest, or for nextest's own `--`: filters, `--test-threads=1`, …
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) libtest: Vec<String>,
}

/// What counts as a leak, and how it is looked for.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Leaks")]
pub(crate) struct LeakArgs {
    /// The limit of every test, over attributes and settings
    #[arg(long, value_name = "MB", value_parser = megabytes, allow_negative_numbers = true)]
    pub(crate) threshold_mb: Option<f64>,
    /// Leave tests unchecked; a glob over their names, may be given several times
    #[arg(long, value_name = "GLOB")]
    pub(crate) skip: Vec<String>,
    /// How often a test's body is repeated, to tell a leak from a cache that warms up: `auto` or a number
    #[arg(long, value_name = "N")]
    pub(crate) iterations: Option<Iterations>,
    /// Find out who holds what leaks: live blocks are listed from the start, which costs time
    #[arg(long)]
    pub(crate) holders: bool,
    /// Record live bytes over time, for the page to draw
    #[arg(long)]
    pub(crate) timeline: bool,
    /// How many call sites the table lists of each leak
    #[arg(long, value_name = "N", value_parser = one_or_more)]
    pub(crate) top: Option<u64>,
    /// Tell leaks, but end as if there were none
    #[arg(long)]
    pub(crate) warn_only: bool,
    /// The baseline to hold the run against, if it is there [default: leakcheck-baseline.json]
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// Hold the run against no baseline
    #[arg(long, conflicts_with = "baseline")]
    pub(crate) no_baseline: bool,
    /// What runs the tests
    #[arg(long, value_name = "RUNNER")]
    pub(crate) runner: Option<RunnerArg>,
    /// Build leakcheck as unoptimised as the tests
    #[arg(long)]
    pub(crate) no_optimize: bool,
}

/// Where results go.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Reports")]
pub(crate) struct OutputArgs {
    /// Write a report, its format given by `FORMAT=` or by the file's name: html, json, junit (.xml), sarif, gitlab,
    /// markdown (.md), folded, speedscope (.speedscope.json), dhat (.dhat.json), pprof (.pb.gz)
    #[arg(long, value_name = "[FORMAT=]FILE")]
    pub(crate) report: Vec<Target>,
    /// Keep this run in a directory of runs, and show trends over them
    #[arg(long, value_name = "DIR")]
    pub(crate) history: Option<PathBuf>,
    /// Show all that the test runner says
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// List tests in the table that are in order, too
    #[arg(long)]
    pub(crate) all: bool,
}

/// cargo's own flags, passed on.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Which tests (as for cargo test)")]
pub(crate) struct SelectArgs {
    /// Of this package
    #[arg(short, long, value_name = "SPEC")]
    pub(crate) package: Vec<String>,
    /// Of all packages of the workspace
    #[arg(long, visible_alias = "all-packages")]
    pub(crate) workspace: bool,
    /// But not of this package
    #[arg(long, value_name = "SPEC")]
    pub(crate) exclude: Vec<String>,
    /// Of the library
    #[arg(long)]
    pub(crate) lib: bool,
    /// Of all programs
    #[arg(long)]
    pub(crate) bins: bool,
    /// Of this program
    #[arg(long, value_name = "NAME")]
    pub(crate) bin: Vec<String>,
    /// Of all test targets
    #[arg(long)]
    pub(crate) tests: bool,
    /// Of this test target
    #[arg(long, value_name = "NAME")]
    pub(crate) test: Vec<String>,
    /// Of all examples
    #[arg(long)]
    pub(crate) examples: bool,
    /// Of this example
    #[arg(long, value_name = "NAME")]
    pub(crate) example: Vec<String>,
    /// Of all targets
    #[arg(long)]
    pub(crate) all_targets: bool,
    /// Those in the documentation alone
    #[arg(long)]
    pub(crate) doc: bool,
    /// With these features
    #[arg(short = 'F', long, value_name = "FEATURES")]
    pub(crate) features: Vec<String>,
    /// With all features
    #[arg(long)]
    pub(crate) all_features: bool,
    /// Without the default features
    #[arg(long)]
    pub(crate) no_default_features: bool,
    /// Optimised
    #[arg(short, long)]
    pub(crate) release: bool,
    /// With this profile of cargo's
    #[arg(long, value_name = "NAME", visible_alias = "profile")]
    pub(crate) cargo_profile: Option<String>,
    /// For this platform
    #[arg(long, value_name = "TRIPLE")]
    pub(crate) target: Option<String>,
    /// Built there
    #[arg(long, value_name = "DIR")]
    pub(crate) target_dir: Option<PathBuf>,
    /// Of this manifest
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest_path: Option<PathBuf>,
    /// So many jobs of the compiler at once
    #[arg(short, long, value_name = "N")]
    pub(crate) jobs: Option<String>,
    /// Without touching Cargo.lock
    #[arg(long)]
    pub(crate) locked: bool,
    /// Without the network
    #[arg(long)]
    pub(crate) offline: bool,
    /// Without either
    #[arg(long)]
    pub(crate) frozen: bool,
    /// A setting of cargo's
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) config: Vec<String>,
    /// This part of the tests, with nextest: `hash:1/3` or `count:1/3`
    #[arg(long, value_name = "PART")]
    pub(crate) partition: Option<String>,
    /// The tests of this filter expression, with nextest
    #[arg(short = 'E', long, value_name = "EXPR")]
    pub(crate) filterset: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct BaselineArgs {
    /// Take out of the baseline what is gone, and put nothing new in
    #[arg(long)]
    pub(crate) update: bool,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The run before, a JSON report of this command
    pub(crate) before: PathBuf,
    /// The run after
    pub(crate) after: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// JSON reports of this command, or directories with them
    #[arg(required = true, value_name = "RUN")]
    pub(crate) runs: Vec<PathBuf>,
    /// Write a report, as in a run
    #[arg(long, value_name = "[FORMAT=]FILE")]
    pub(crate) report: Vec<Target>,
    /// How many shards there have to be, where the runs do not say it themselves
    #[arg(long, value_name = "N")]
    pub(crate) shards: Option<u32>,
    /// Keep the joined run in a directory of runs
    #[arg(long, value_name = "DIR")]
    pub(crate) history: Option<PathBuf>,
    /// Tell leaks, but end as if there were none
    #[arg(long, conflicts_with = "fail_on_leaks")]
    pub(crate) warn_only: bool,
    /// Fail on leaks, though the runs were told not to
    #[arg(long)]
    pub(crate) fail_on_leaks: bool,
    /// List tests in the table that are in order, too
    #[arg(long)]
    pub(crate) all: bool,
    /// How many call sites the table lists of each leak
    #[arg(long, value_name = "N", value_parser = one_or_more)]
    pub(crate) top: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(flatten)]
    pub(crate) leaks: LeakArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Of this manifest
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest_path: Option<PathBuf>,
}

/// What runs the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RunnerArg {
    /// nextest where it is installed and the workspace has `.config/nextest.toml`, else cargo test
    Auto,
    /// cargo test
    Cargo,
    /// cargo nextest run
    Nextest,
}

/// A number of megabytes, as the variables of leakcheck have it.
fn megabytes(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|mb: &f64| mb.is_finite() && *mb >= 0.0);
    number
        .ok_or_else(|| "expected a number of megabytes, 0 or more, such as `5` or `0.5`".to_owned())
}

fn one_or_more(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "expected a whole number, 1 or more".to_owned())
}

impl SelectArgs {
    /// The flags that decide what is built, as cargo knows them, but for `--config`.
    pub(crate) fn flags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        let mut each = |name: &str, values: &[String]| {
            for value in values {
                flags.extend([name.to_owned(), value.clone()]);
            }
        };
        each("--package", &self.package);
        each("--exclude", &self.exclude);
        each("--bin", &self.bin);
        each("--test", &self.test);
        each("--example", &self.example);
        each("--features", &self.features);
        each("--target", self.target.as_slice());
        each("--jobs", self.jobs.as_slice());
        let paths = [("--target-dir", &self.target_dir), ("--manifest-path", &self.manifest_path)];
        for (name, path) in paths {
            if let Some(path) = path {
                flags.extend([name.to_owned(), path.to_string_lossy().into_owned()]);
            }
        }
        let switches = [
            ("--workspace", self.workspace),
            ("--lib", self.lib),
            ("--bins", self.bins),
            ("--tests", self.tests),
            ("--examples", self.examples),
            ("--all-targets", self.all_targets),
            ("--doc", self.doc),
            ("--all-features", self.all_features),
            ("--no-default-features", self.no_default_features),
            ("--release", self.release),
            ("--locked", self.locked),
            ("--offline", self.offline),
            ("--frozen", self.frozen),
        ];
        flags.extend(switches.iter().filter(|(_, on)| *on).map(|(name, _)| (*name).to_owned()));
        flags
    }

    /// The project that is meant.
    pub(crate) fn project(&self) -> Query {
        Query {
            manifest_path: self.manifest_path.clone(),
            target_dir: self.target_dir.clone(),
            locked: self.locked,
            offline: self.offline,
            frozen: self.frozen,
        }
    }

    /// Whether only a part of the tests is asked for.
    pub(crate) fn narrows(&self) -> bool {
        let lists =
            [&self.package, &self.exclude, &self.bin, &self.test, &self.example, &self.filterset];
        lists.iter().any(|list| !list.is_empty())
            || [self.lib, self.bins, self.tests, self.examples, self.doc].contains(&true)
            || self.partition.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Cargo::command().debug_assert();
    }

    #[test]
    fn cargos_flags_are_passed_on() {
        let args = ["cargo", "leakcheck", "-p", "app", "--test", "api", "--release", "-F", "a,b"];
        let Cargo::Leakcheck(args) = Cargo::parse_from(args);
        let flags = ["--package", "app", "--test", "api", "--features", "a,b", "--release"];
        assert_eq!(args.run.select.flags(), flags);
        assert!(args.run.select.narrows());
    }
}
