//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::formats::Target;
use crate::iterations::Iterations;
use crate::workspace::Query;

/// cargo runs `cargo-leakcheck leakcheck …`.
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
    /// Run the tests and save their leaks as the baseline; later runs fail only on new leaks
    Baseline(Box<BaselineArgs>),
    /// Compare the JSON reports of two runs
    Diff(DiffArgs),
    /// Merge the runs of several machines, or write the reports of one run again
    Merge(MergeArgs),
    /// Show the effective settings and where each comes from
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
    /// Arguments for the test programs, such as filters or `--test-threads=1`
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) libtest: Vec<String>,
}

/// What counts as a leak, and how leaks are searched for.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Leaks")]
pub(crate) struct LeakArgs {
    /// Limit in MiB for every test; overrides attributes and settings
    #[arg(long, value_name = "MIB", value_parser = mebibytes, allow_negative_numbers = true)]
    pub(crate) threshold_mb: Option<f64>,
    /// Do not check tests whose names match the glob; can be repeated
    #[arg(long, value_name = "GLOB")]
    pub(crate) skip: Vec<String>,
    /// Number of times to run each test's body, or `auto`; distinguishes leaks from caches that warm up
    #[arg(long, value_name = "N")]
    pub(crate) iterations: Option<Iterations>,
    /// Record live blocks from the start of each test, so that reports show what keeps leaks alive; slower
    #[arg(long)]
    pub(crate) holders: bool,
    /// Record live bytes over time for the HTML report
    #[arg(long)]
    pub(crate) timeline: bool,
    /// Number of call sites to list for each leak
    #[arg(long, value_name = "N", value_parser = one_or_more)]
    pub(crate) top: Option<u64>,
    /// Report leaks without failing
    #[arg(long)]
    pub(crate) warn_only: bool,
    /// Baseline to compare with [default: leakcheck-baseline.json, if it exists]
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// Do not compare with a baseline
    #[arg(long, conflicts_with = "baseline")]
    pub(crate) no_baseline: bool,
    /// Test runner to use
    #[arg(long, value_name = "RUNNER")]
    pub(crate) runner: Option<RunnerArg>,
    /// Build leakcheck without optimizations
    #[arg(long)]
    pub(crate) no_optimize: bool,
}

/// Where the results go.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Reports")]
pub(crate) struct OutputArgs {
    /// Write a report in the format of `FORMAT=` or of the file's extension: html, json, junit (.xml), sarif, gitlab,
    /// markdown (.md), folded, speedscope (.speedscope.json), dhat (.dhat.json), pprof (.pb.gz); can be repeated
    #[arg(long, value_name = "[FORMAT=]FILE")]
    pub(crate) report: Vec<Target>,
    /// Directory that keeps this run and shows trends over earlier ones
    #[arg(long, value_name = "DIR")]
    pub(crate) history: Option<PathBuf>,
    /// Show the output of cargo and of the tests
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// List passing tests too
    #[arg(long)]
    pub(crate) all: bool,
}

/// cargo's own flags, which are passed to cargo.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Which tests (as for cargo test)")]
pub(crate) struct SelectArgs {
    /// Test only this package
    #[arg(short, long, value_name = "SPEC")]
    pub(crate) package: Vec<String>,
    /// Test all packages in the workspace
    #[arg(long, visible_alias = "all-packages")]
    pub(crate) workspace: bool,
    /// Exclude this package
    #[arg(long, value_name = "SPEC")]
    pub(crate) exclude: Vec<String>,
    /// Test only this package's library
    #[arg(long)]
    pub(crate) lib: bool,
    /// Test all binaries
    #[arg(long)]
    pub(crate) bins: bool,
    /// Test only the specified binary
    #[arg(long, value_name = "NAME")]
    pub(crate) bin: Vec<String>,
    /// Test all targets that have `test = true` set
    #[arg(long)]
    pub(crate) tests: bool,
    /// Test only the specified test target
    #[arg(long, value_name = "NAME")]
    pub(crate) test: Vec<String>,
    /// Test all examples
    #[arg(long)]
    pub(crate) examples: bool,
    /// Test only the specified example
    #[arg(long, value_name = "NAME")]
    pub(crate) example: Vec<String>,
    /// Test all targets (does not include doctests)
    #[arg(long)]
    pub(crate) all_targets: bool,
    /// Test only this library's documentation
    #[arg(long)]
    pub(crate) doc: bool,
    /// Space or comma separated list of features to activate
    #[arg(short = 'F', long, value_name = "FEATURES")]
    pub(crate) features: Vec<String>,
    /// Activate all available features
    #[arg(long)]
    pub(crate) all_features: bool,
    /// Do not activate the `default` feature
    #[arg(long)]
    pub(crate) no_default_features: bool,
    /// Build in release mode, with optimizations
    #[arg(short, long)]
    pub(crate) release: bool,
    /// Build with the specified profile
    #[arg(long, value_name = "NAME", visible_alias = "profile")]
    pub(crate) cargo_profile: Option<String>,
    /// Build for the target triple
    #[arg(long, value_name = "TRIPLE")]
    pub(crate) target: Option<String>,
    /// Directory for all generated artifacts
    #[arg(long, value_name = "DIR")]
    pub(crate) target_dir: Option<PathBuf>,
    /// Path to Cargo.toml
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest_path: Option<PathBuf>,
    /// Number of parallel build jobs
    #[arg(short, long, value_name = "N")]
    pub(crate) jobs: Option<String>,
    /// Assert that `Cargo.lock` will remain unchanged
    #[arg(long)]
    pub(crate) locked: bool,
    /// Run without accessing the network
    #[arg(long)]
    pub(crate) offline: bool,
    /// Same as `--locked --offline`
    #[arg(long)]
    pub(crate) frozen: bool,
    /// Override a configuration value of cargo
    #[arg(long, value_name = "KEY=VALUE|PATH")]
    pub(crate) config: Vec<String>,
    /// Run one part of the tests, such as `hash:1/3` (nextest only)
    #[arg(long, value_name = "PART")]
    pub(crate) partition: Option<String>,
    /// Run only the tests that match a filterset (nextest only)
    #[arg(short = 'E', long, value_name = "EXPR")]
    pub(crate) filterset: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct BaselineArgs {
    /// Remove fixed leaks from the baseline, and add no new ones
    #[arg(long)]
    pub(crate) update: bool,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// JSON report of the earlier run
    pub(crate) before: PathBuf,
    /// JSON report of the later run
    pub(crate) after: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// JSON reports of runs, or directories that contain them
    #[arg(required = true, value_name = "RUN")]
    pub(crate) runs: Vec<PathBuf>,
    /// Write a report, as for a run
    #[arg(long, value_name = "[FORMAT=]FILE")]
    pub(crate) report: Vec<Target>,
    /// Number of shards to expect, if the reports do not say
    #[arg(long, value_name = "N")]
    pub(crate) shards: Option<u32>,
    /// Directory that keeps the merged run
    #[arg(long, value_name = "DIR")]
    pub(crate) history: Option<PathBuf>,
    /// Report leaks without failing
    #[arg(long, conflicts_with = "fail_on_leaks")]
    pub(crate) warn_only: bool,
    /// Fail on leaks even if the runs had `--warn-only`
    #[arg(long)]
    pub(crate) fail_on_leaks: bool,
    /// List passing tests too
    #[arg(long)]
    pub(crate) all: bool,
    /// Number of call sites to list for each leak
    #[arg(long, value_name = "N", value_parser = one_or_more)]
    pub(crate) top: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(flatten)]
    pub(crate) leaks: LeakArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Path to Cargo.toml
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest_path: Option<PathBuf>,
}

/// The test runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RunnerArg {
    /// nextest if it is installed and `.config/nextest.toml` exists, otherwise cargo test
    Auto,
    /// cargo test
    Cargo,
    /// cargo nextest run
    Nextest,
}

/// Parses a number of MiB, as in the variables of leakcheck.
fn mebibytes(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|mb: &f64| mb.is_finite() && *mb >= 0.0);
    number.ok_or_else(|| "expected a number of MiB, 0 or more, such as `5` or `0.5`".to_owned())
}

fn one_or_more(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "expected a whole number, 1 or more".to_owned())
}

impl SelectArgs {
    /// The flags of cargo that decide what is built, except `--config`.
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

    /// The project that the flags select.
    pub(crate) fn project(&self) -> Query {
        Query {
            manifest_path: self.manifest_path.clone(),
            target_dir: self.target_dir.clone(),
            locked: self.locked,
            offline: self.offline,
            frozen: self.frozen,
        }
    }

    /// Whether the flags select only some of the tests.
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
