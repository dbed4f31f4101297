//! One run of a suite, from the build to the model.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::cli::{RunArgs, RunnerArg, SelectArgs};
use crate::error::{Error, Result};
use crate::model::{Meta, Run, Shard};
use crate::progress::Progress;
use crate::runner::{Heard, Plan, cargo_test, nextest};
use crate::settings::{KINDS, Settings};
use crate::workspace::Workspace;
use crate::{commit, gather, judge};

/// A run that is over, before any baseline.
pub(crate) struct Finished {
    pub(crate) run: Run,
    /// Tests failed that have no line of their own.
    pub(crate) failed_otherwise: bool,
    /// What the runner said, for failures.
    pub(crate) output: String,
}

/// Builds the tests, runs them and reads what they have reported.
pub(crate) fn run(args: &RunArgs, settings: &Settings, workspace: &Workspace) -> Result<Finished> {
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let with_nextest = uses_nextest(args, settings, workspace)?;
    let shard = args.select.partition.as_deref().map(shard).transpose()?;
    let folder = Folder::make(&workspace.output)?;
    let plan = Plan {
        flags: flags(&args.select, settings, workspace, with_nextest),
        libtest: args.libtest.clone(),
        variables: variables(args, settings, &folder.0)?,
        verbose: settings.verbose,
    };
    let of_nextest = of_nextest(&args.select);
    let programs = if with_nextest {
        nextest::build(&plan, &of_nextest)?;
        cargo_test::Programs::new()
    } else if args.select.doc {
        cargo_test::Programs::new()
    } else {
        cargo_test::build(&plan, workspace)?
    };
    let clock = Instant::now();
    let mut progress = Progress::new(settings.verbose);
    let heard = if with_nextest {
        nextest::run(&plan, &of_nextest, &mut progress)
    } else {
        cargo_test::run(&plan, &programs, &mut progress)
    };
    progress.clear();
    let heard = heard?;
    let (commit, commit_subject, dirty) = commit::of(&workspace.root);
    let mut run = Run::new(Meta {
        started,
        seconds: clock.elapsed().as_secs_f64(),
        runner: if with_nextest { "cargo nextest" } else { "cargo test" }.to_owned(),
        commit,
        commit_subject,
        dirty,
        selected: args.select.narrows() || !args.libtest.is_empty(),
        shard,
        warn_only: settings.warn_only.value,
        baseline: None,
    });
    gather::gather(&folder.0, &mut run)?;
    run.problems.extend(unwritten(&heard.output));
    judge::join(&mut run, &heard);
    judge::apply(&mut run, settings);
    judge::name_sources(&mut run, settings);
    if run.problems.is_empty() {
        folder.remove();
    } else {
        run.problems
            .push(format!("what there is of the reports was left in `{}`", folder.0.display()));
    }
    let failed_otherwise = failed_otherwise(&run, &heard);
    Ok(Finished { run, failed_otherwise, output: heard.output })
}

/// What tests said of reports that they could not write, as on a full disk.
fn unwritten(output: &str) -> BTreeSet<String> {
    let words = output.lines().filter_map(|line| line.trim_start().strip_prefix("leakcheck: the "));
    let words = words.filter(|words| words.contains("` is not written: "));
    words.map(|words| format!("the {words}")).collect()
}

/// Whether something failed that no test of the run stands for.
fn failed_otherwise(run: &Run, heard: &Heard) -> bool {
    use crate::model::Status::{Blind, Failed};
    let named = run.count(&[Blind, Failed]) > 0;
    heard.unnamed_failures > 0
        || (!heard.success && !named && run.problems.is_empty() && !run.tests.is_empty())
}

fn uses_nextest(args: &RunArgs, settings: &Settings, workspace: &Workspace) -> Result<bool> {
    let asks = args.select.partition.is_some() || !args.select.filterset.is_empty();
    match settings.runner.value {
        RunnerArg::Cargo if asks => {
            Err(Error::usage("`--partition` and `-E` are nextest's; leave out `--runner cargo`"))
        }
        RunnerArg::Cargo => Ok(false),
        RunnerArg::Auto if !asks && !workspace.root.join(".config/nextest.toml").is_file() => {
            Ok(false)
        }
        RunnerArg::Auto if !asks => Ok(nextest::is_installed()),
        _ if nextest::is_installed() => Ok(true),
        _ => Err(Error::usage(
            "nextest is asked for and not installed: `cargo install cargo-nextest`, or `--runner cargo`",
        )),
    }
}

/// `hash:2/3` and `count:2/3`, and `slice:2/3`.
/// The flags that only nextest has.
fn of_nextest(select: &SelectArgs) -> Vec<String> {
    let part = select.partition.iter().map(|part| ("--partition", part));
    let filter = select.filterset.iter().map(|filter| ("-E", filter));
    part.chain(filter).flat_map(|(flag, value)| [flag.to_owned(), value.clone()]).collect()
}

fn shard(partition: &str) -> Result<Shard> {
    let parse = || {
        let (_, part) = partition.split_once(':')?;
        let (index, count) = part.split_once('/')?;
        let (index, count) = (index.parse().ok()?, count.parse().ok()?);
        (index >= 1 && index <= count).then_some(Shard { index, count })
    };
    parse().ok_or_else(|| {
        Error::usage(format!("`--partition` is `{partition}`, expected such as `hash:1/3`"))
    })
}

/// cargo's flags: those that were given, and what makes the tracking crates fast.
fn flags(
    select: &SelectArgs,
    settings: &Settings,
    workspace: &Workspace,
    with_nextest: bool,
) -> Vec<String> {
    let mut flags = select.flags();
    let profile = match &select.cargo_profile {
        Some(profile) => {
            let name = if with_nextest { "--cargo-profile" } else { "--profile" };
            flags.extend([name.to_owned(), profile.clone()]);
            profile.as_str()
        }
        None => "dev",
    };
    let profile = if profile == "test" { "dev" } else { profile };
    if settings.optimize.value && !select.release && profile != "release" {
        for krate in &workspace.tracking {
            flags.push("--config".to_owned());
            flags.push(format!("profile.{profile}.package.{krate}.opt-level=3"));
        }
    }
    flags
}

/// Variables for the tests.
fn variables(
    args: &RunArgs,
    settings: &Settings,
    folder: &Path,
) -> Result<BTreeMap<String, OsString>> {
    let mut variables = BTreeMap::new();
    let mut set = |name: &str, value: OsString| _ = variables.insert(name.to_owned(), value);
    set("LEAK_CHECK", "record".into());
    set("LEAK_RECORD", "on".into());
    set("LEAK_REPORT_DIR", folder.into());
    set("LEAK_STACKS", settings.stacks.value.clone().into());
    if let Some(limit) = &settings.threshold_mb {
        set("LEAK_THRESHOLD_MB", limit.value.to_string().into());
    }
    for ((_, _, variable, _), limit) in KINDS.iter().zip(&settings.kinds) {
        if limit.source != "default" {
            set(variable, limit.value.to_string().into());
        }
    }
    if let Some(iterations) =
        settings.iterations.as_ref().filter(|set| !set.source.contains("LEAK_ITERATIONS"))
    {
        set("LEAK_ITERATIONS", iterations.value.to_string().into());
    }
    if args.leaks.holders {
        set("LEAK_HOLDERS", "on".into());
    }
    if settings.timeline.value {
        set("LEAK_TIMELINE", "on".into());
    }
    let skips: Vec<&str> = settings.skip.iter().map(|skip| skip.tests.text()).collect();
    if !skips.is_empty() {
        set("LEAK_SKIP", skips.join(",").into());
    }
    if !settings.suppressions.is_empty() {
        set("LEAK_SUPPRESSIONS", suppressions(settings, folder)?.into());
    }
    Ok(variables)
}

/// The suppressions of the manifest and of the environment in one file.
fn suppressions(settings: &Settings, folder: &Path) -> Result<PathBuf> {
    let mut text = match &settings.suppressions_file {
        Some(path) => {
            let path = PathBuf::from(&path.value);
            fs::read_to_string(&path).map_err(|error| Error::file("read", &path, error))?
        }
        None => String::new(),
    };
    for suppression in &settings.suppressions {
        text.extend(["\nleak:", suppression.leak.as_str()]);
    }
    let path = folder.join("suppressions");
    fs::write(&path, text).map_err(|error| Error::file("written", &path, error))?;
    Ok(path)
}

/// The directory of one run's reports; several runs may go on in one target directory.
struct Folder(PathBuf);

impl Folder {
    fn make(output: &Path) -> Result<Self> {
        let runs = output.join("runs");
        fs::create_dir_all(&runs).map_err(|error| Error::file("made", &runs, error))?;
        let process = std::process::id();
        for number in 0..1000 {
            let path = runs.join(format!("{process}-{number}"));
            match fs::create_dir(&path) {
                // Tests run in their packages' directories.
                Ok(()) => {
                    let path = fs::canonicalize(&path);
                    return path.map(Self).map_err(|error| Error::file("read", &runs, error));
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::file("made", &path, error)),
            }
        }
        Err(Error::unusable(format!("`{}` is full of old runs: remove it", runs.display())))
    }

    fn remove(&self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            _ = writeln!(stderr(), "leakcheck: `{}` cannot be removed: {error}", self.0.display());
        }
    }
}
