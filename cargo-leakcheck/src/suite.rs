//! One run of a suite, from the build to the model.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::cli::{RunArgs, RunnerArg, SelectArgs};
use crate::error::{Error, Result};
use crate::evidence::{self, Evidence};
use crate::model::{Meta, Run, Shard};
use crate::progress::Progress;
use crate::runner::nextest::{self, Summary};
use crate::runner::{Plan, cargo_test};
use crate::settings::{SettingSource, Settings};
use crate::setup::Programs;
use crate::target_runner::{self, Invocation};
use crate::workspace::Workspace;
use crate::{commit, gather, judge, records};
use leakcheck_report::Kind;

/// The folder of the tests' reports, in the directory of a run.
const REPORTS: &str = "reports";

/// A finished run, before it is compared with a baseline.
pub(crate) struct Finished {
    pub(crate) run: Run,
    /// Whether something failed that has no row in the table.
    pub(crate) failed_otherwise: bool,
    /// The output of cargo and the tests.
    pub(crate) output: String,
}

/// Builds the tests, runs them and reads their reports.
pub(crate) fn run(args: &RunArgs, settings: &Settings, workspace: &Workspace) -> Result<Finished> {
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let with_nextest = uses_nextest(args, settings, workspace)?;
    let shard = args.select.partition.as_deref().map(shard).transpose()?;
    let folder = Folder::make(&workspace.output)?;
    let plan = Plan {
        flags: flags(&args.select, with_nextest),
        config: config(&args.select, settings, workspace),
        libtest: args.libtest.clone(),
        variables: variables(args, settings, &folder.0)?,
        verbose: settings.verbose,
    };
    let session = if with_nextest {
        Session::of_nextest(&plan, args, workspace, &folder.0)
    } else {
        Session::of_cargo_test(&plan, args, workspace, &folder.0)
    }?;
    let (commit, commit_subject, dirty) = commit::of(&workspace.root);
    let mut run = Run::new(Meta {
        started,
        seconds: session.took.as_secs_f64(),
        runner: if with_nextest { "cargo nextest" } else { "cargo test" }.to_owned(),
        commit,
        commit_subject,
        dirty,
        selected: args.select.narrows() || !args.libtest.is_empty(),
        shard,
        warn_only: settings.warn_only.value,
        baseline: None,
    });
    gather::gather(&folder.0.join(REPORTS), &mut run)?;
    judge::join(&mut run, &session.evidence.ran);
    run.problems.extend(session.evidence.problems.iter().cloned());
    run.programs.clone_from(&session.evidence.programs);
    judge::apply(&mut run, settings);
    judge::name_sources(&mut run, settings);
    if run.problems.is_empty() {
        folder.remove();
    } else {
        let path = folder.0.display();
        run.problems.push(format!("the reports and records of this run are in `{path}`"));
    }
    let failed_otherwise = session.failed_otherwise(&run);
    Ok(Finished { run, failed_otherwise, output: session.output })
}

/// The result of running the tests.
struct Session {
    evidence: Evidence,
    /// Whether cargo or nextest succeeded.
    success: bool,
    took: Duration,
    /// The output, which is only shown.
    output: String,
}

impl Session {
    fn of_cargo_test(
        plan: &Plan,
        args: &RunArgs,
        workspace: &Workspace,
        directory: &Path,
    ) -> Result<Self> {
        let programs = match args.select.doc {
            true => Programs::new(),
            false => cargo_test::build(plan, workspace)?,
        };
        // `--list` runs no tests, so it leaves no records.
        let lists = args.libtest.iter().any(|argument| argument == "--list");
        let invocation = install(plan, args, &programs, directory)?;
        let clock = Instant::now();
        let mut progress = Progress::new(plan.verbose);
        let ended = cargo_test::run(plan, &invocation, directory, &mut progress);
        progress.clear();
        let (success, output) = ended?;
        let expected = if lists { Programs::new() } else { programs };
        let evidence = evidence::of_cargo_test(&records::read(directory), &expected);
        Ok(Self { evidence, success, took: clock.elapsed(), output })
    }

    fn of_nextest(
        plan: &Plan,
        args: &RunArgs,
        workspace: &Workspace,
        directory: &Path,
    ) -> Result<Self> {
        let own = of_nextest(&args.select);
        let programs = nextest::build(plan, &own, workspace)?;
        let invocation = install(plan, args, &programs, directory)?;
        let clock = Instant::now();
        let mut progress = Progress::new(plan.verbose);
        let ended = nextest::run(plan, &own, &invocation, &mut progress);
        progress.clear();
        let Summary { ran, problems, success, output } = ended?;
        let mut evidence = evidence::of_nextest(&records::read(directory), ran);
        evidence.problems.extend(problems);
        Ok(Self { evidence, success, took: clock.elapsed(), output })
    }

    /// Whether something failed that has no row in the table, such as a doctest.
    fn failed_otherwise(&self, run: &Run) -> bool {
        use crate::model::Status::{Blind, Failed};
        let has_row = run.count(&[Blind, Failed]) > 0;
        self.evidence.failed || (!self.success && !has_row && run.problems.is_empty())
    }
}

fn install(
    plan: &Plan,
    args: &RunArgs,
    programs: &Programs,
    directory: &Path,
) -> Result<Invocation> {
    let targets = args.select.target.as_slice();
    target_runner::install(directory, programs.clone(), targets, &plan.config)
}

fn uses_nextest(args: &RunArgs, settings: &Settings, workspace: &Workspace) -> Result<bool> {
    let asks = args.select.partition.is_some() || !args.select.filterset.is_empty();
    match settings.runner.value {
        RunnerArg::Cargo if asks => {
            Err(Error::usage("`--partition` and `-E` need nextest; remove `--runner cargo`"))
        }
        RunnerArg::Cargo => Ok(false),
        RunnerArg::Auto if !asks && !workspace.root.join(".config/nextest.toml").is_file() => {
            Ok(false)
        }
        RunnerArg::Auto if !asks => Ok(nextest::is_installed()),
        _ if nextest::is_installed() => Ok(true),
        _ => Err(Error::usage(
            "nextest is not installed: run `cargo install cargo-nextest`, or use `--runner cargo`",
        )),
    }
}

/// The flags that only nextest accepts.
fn of_nextest(select: &SelectArgs) -> Vec<String> {
    let part = select.partition.iter().map(|part| ("--partition", part));
    let filter = select.filterset.iter().map(|filter| ("-E", filter));
    part.chain(filter).flat_map(|(flag, value)| [flag.to_owned(), value.clone()]).collect()
}

/// Parses the part in `hash:2/3`, `count:2/3` or `slice:2/3`.
fn shard(partition: &str) -> Result<Shard> {
    let parse = || {
        let (_, part) = partition.split_once(':')?;
        let (index, count) = part.split_once('/')?;
        let (index, count) = (index.parse().ok()?, count.parse().ok()?);
        (index >= 1 && index <= count).then_some(Shard { index, count })
    };
    parse().ok_or_else(|| {
        Error::usage(format!("`--partition` is `{partition}`, expected a part such as `hash:1/3`"))
    })
}

/// The given flags for cargo.
fn flags(select: &SelectArgs, with_nextest: bool) -> Vec<String> {
    let mut flags = select.flags();
    if let Some(profile) = &select.cargo_profile {
        let name = if with_nextest { "--cargo-profile" } else { "--profile" };
        flags.extend([name.to_owned(), profile.clone()]);
    }
    flags
}

/// The values of `--config`: the given ones, and those that optimize the crates that slow checks down.
fn config(select: &SelectArgs, settings: &Settings, workspace: &Workspace) -> Vec<String> {
    let mut config = select.config.clone();
    let profile = match select.cargo_profile.as_deref() {
        None | Some("test") => "dev",
        Some(profile) => profile,
    };
    if settings.optimize.value && !select.release && profile != "release" {
        let optimized = |krate: &&str| format!("profile.{profile}.package.{krate}.opt-level=3");
        config.extend(workspace.tracking.iter().map(optimized));
    }
    config
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
    set("LEAK_REPORT_DIR", folder.join(REPORTS).into());
    set("LEAK_STACKS", settings.stacks.value.name().into());
    if let Some(limit) = &settings.threshold_mb {
        set("LEAK_THRESHOLD_MB", limit.value.to_string().into());
    }
    for (kind, limit) in Kind::ALL.iter().zip(&settings.kinds) {
        if limit.source != SettingSource::Default {
            set(kind.variable(), limit.value.to_string().into());
        }
    }
    if let Some(iterations) = &settings.iterations
        && !iterations.source.is_environment()
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

/// Writes the suppressions of the manifest and of the environment to one file.
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

/// The directory of a run. Several runs may use one target directory at the same time.
struct Folder(PathBuf);

impl Folder {
    fn make(output: &Path) -> Result<Self> {
        let runs = output.join("runs");
        fs::create_dir_all(&runs).map_err(|error| Error::file("made", &runs, error))?;
        let process = std::process::id();
        for number in 0..1000 {
            let path = runs.join(format!("{process}-{number}"));
            match fs::create_dir(&path) {
                // Absolute, because tests run in the directories of their packages.
                Ok(()) => {
                    let path = fs::canonicalize(&path)
                        .map_err(|error| Error::file("read", &runs, error))?;
                    let reports = path.join(REPORTS);
                    fs::create_dir(&reports)
                        .map_err(|error| Error::file("made", &reports, error))?;
                    return Ok(Self(path));
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::file("made", &path, error)),
            }
        }
        Err(Error::unusable(format!("`{}` has too many old runs; remove it", runs.display())))
    }

    fn remove(&self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            _ = writeln!(stderr(), "leakcheck: `{}` cannot be removed: {error}", self.0.display());
        }
    }
}
