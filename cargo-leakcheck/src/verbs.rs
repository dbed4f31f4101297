//! The verbs of the command, one function each.

use std::path::{Path, PathBuf};

use anstream::{eprint, eprintln, print, println};

use leakcheck_report::format::counted;

use crate::baseline::{Baseline, Tolerance};
use crate::cli::{BaselineArgs, ConfigArgs, DiffArgs, Leakcheck, MergeArgs, RunArgs, Verb};
use crate::diff::Diff;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::formats::{self, Context, Format, Target};
use crate::model::{Run, Status};
use crate::output::shown;
use crate::settings::show::show;
use crate::settings::{Environment, SettingSource, Settings};
use crate::suite::Finished;
use crate::table::{self, Extent};
use crate::workspace::{Query, Workspace};
use crate::{ci, history, judge, merge, output, sources, suite};

pub(crate) fn run(command: Leakcheck) -> Result<Exit> {
    match command.verb {
        None => check(&command.run),
        Some(Verb::Baseline(args)) => baseline(&args),
        Some(Verb::Diff(args)) => diff(&args),
        Some(Verb::Merge(args)) => merge(&args),
        Some(Verb::Config(args)) => config(&args),
    }
}

fn read(args: &RunArgs) -> Result<(Workspace, Settings)> {
    let workspace = Workspace::find(&args.select.project())?;
    let settings = Settings::read(&args.leaks, &args.output, &workspace, &environment()?)?;
    Ok((workspace, settings))
}

fn environment() -> Result<Environment> {
    let here = std::env::current_dir().map_err(|error| {
        Error::unusable(format!("the working directory cannot be read: {error}"))
    })?;
    Environment::of_tests(&here)
}

/// `cargo leakcheck`
fn check(args: &RunArgs) -> Result<Exit> {
    let (workspace, settings) = read(args)?;
    // Read first, so that an unreadable baseline is reported before the tests run.
    let baseline = read_baseline(&settings)?;
    let past = past(settings.history.as_ref().map(|set| set.value.as_path()))?;
    let mut finished = suite::run(args, &settings, &workspace)?;
    if let Some((path, baseline)) = baseline {
        baseline.apply(&mut finished.run, &settings.tolerance.value);
        finished.run.meta.baseline = Some(path.display().to_string());
    }
    show_failures(&finished, &settings);
    let exit = judge::exit(&finished.run, finished.failed_otherwise);
    Conclusion::of(&settings, &workspace).publish(&finished.run, past)?;
    explain_exit(&finished.run, exit);
    Ok(exit)
}

fn read_baseline(settings: &Settings) -> Result<Option<(PathBuf, Baseline)>> {
    let Some(path) = &settings.baseline.value else { return Ok(None) };
    let baseline = Baseline::read(path)?;
    if matches!(settings.baseline.source, SettingSource::Flag(_)) && baseline.is_none() {
        let path = shown(path);
        return Err(Error::unusable(format!(
            "the baseline `{path}` does not exist; `cargo leakcheck baseline` writes it"
        )));
    }
    Ok(baseline.map(|baseline| (path.clone(), baseline)))
}

fn past(directory: Option<&Path>) -> Result<Vec<formats::Past>> {
    directory.map_or_else(|| Ok(Vec::new()), history::read)
}

/// Shows the output of cargo and the tests if a test failed or did not finish.
fn show_failures(finished: &Finished, settings: &Settings) {
    let failed = finished.failed_otherwise
        || finished.run.count(&[Status::Failed, Status::Blind, Status::CutOff]) > 0
        || !finished.run.problems.is_empty()
        || finished.run.tests.is_empty();
    if failed && !settings.verbose {
        eprint!("{}", finished.output);
    }
}

/// What the command shows and writes at the end of a run.
struct Conclusion<'a> {
    workspace: &'a Workspace,
    /// The directory of the reports that every run writes. `None` writes only the requested ones.
    always: Option<&'a Path>,
    extent: Extent,
    reports: Vec<Target>,
    history: Option<&'a Path>,
}

impl<'a> Conclusion<'a> {
    fn of(settings: &'a Settings, workspace: &'a Workspace) -> Self {
        Self {
            workspace,
            always: Some(match &settings.report_dir {
                Some(dir) => &dir.value,
                None => &workspace.output,
            }),
            extent: extent(settings.all, settings.top.value),
            reports: settings.reports.iter().map(|report| report.value.clone()).collect(),
            history: settings.history.as_ref().map(|set| set.value.as_path()),
        }
    }

    /// Shows the table and writes the reports and the annotations for CI.
    fn publish(self, run: &Run, past: Vec<formats::Past>) -> Result<()> {
        print!("{}", table::render(run, self.extent));
        let mut context = Context { sources: sources::around(run, self.workspace), history: past };
        // If one report cannot be written, the others still are.
        let mut problems = Vec::new();
        if let Some(directory) = self.history {
            match history::keep(directory, run).and_then(|()| history::read(directory)) {
                Ok(history) => context.history = history,
                Err(error) => problems.push(error),
            }
        }
        let always = self.always.into_iter().flat_map(|directory| {
            let own = |format, name: &str| Target { format, path: directory.join(name) };
            [own(Format::Json, "report.json"), own(Format::Html, "report.html")]
        });
        for target in always.chain(self.reports) {
            let written = output::write_with(&target.path, |out| {
                formats::render(target.format, run, &context, out)
            });
            match written {
                Ok(()) => println!("  {}: {}", target.format.word(), shown(&target.path)),
                Err(error) => problems.push(error),
            }
        }
        problems.extend(ci::report(run).err());
        Error::all(problems)
    }
}

fn extent(all: bool, top: u64) -> Extent {
    Extent { all, top: usize::try_from(top).unwrap_or(usize::MAX) }
}

/// Explains an exit code that the table does not explain.
fn explain_exit(run: &Run, exit: Exit) {
    match exit {
        Exit::Clean | Exit::Leaks => {}
        Exit::NothingChecked if run.tests.is_empty() => eprintln!("leakcheck: no test ran"),
        Exit::NothingChecked if run.tests.iter().any(|test| test.check.is_some()) => eprintln!(
            "leakcheck: every check was skipped or came to no verdict, so nothing was checked"
        ),
        Exit::NothingChecked => eprintln!(
            "leakcheck: {} ran and none is checked: add `leakcheck::check_all!();` to each test program, or \
             `#[leakcheck::leak_check]` to tests or modules",
            counted(run.tests.len() as u64, "test")
        ),
        _ => eprintln!("leakcheck: {}", exit.meaning()),
    }
}

/// `cargo leakcheck baseline`
fn baseline(args: &BaselineArgs) -> Result<Exit> {
    let (workspace, settings) = read(&args.run)?;
    let Some(path) = &settings.baseline.value else {
        return Err(Error::usage("`baseline` writes a baseline; remove `--no-baseline`"));
    };
    let known = Baseline::read(path)?;
    if args.update && known.is_none() {
        let path = shown(path);
        return Err(Error::unusable(format!(
            "the baseline `{path}` does not exist; run `cargo leakcheck baseline` without `--update`"
        )));
    }
    let mut finished = suite::run(&args.run, &settings, &workspace)?;
    show_failures(&finished, &settings);
    finished.run.meta.warn_only = true;
    // An incomplete run must not become a baseline.
    let exit = judge::exit(&finished.run, finished.failed_otherwise);
    let baseline = match known {
        Some(known) if args.update => known.updated_by(&finished.run),
        Some(known) if finished.run.meta.selected => known.replaced_by(Baseline::of(&finished.run)),
        _ => Baseline::of(&finished.run),
    };
    baseline.apply(&mut finished.run, &settings.tolerance.value);
    Conclusion::of(&settings, &workspace).publish(&finished.run, Vec::new())?;
    if exit != Exit::Clean {
        explain_exit(&finished.run, exit);
        eprintln!("leakcheck: the baseline was not written");
        return Ok(exit);
    }
    output::write(path, baseline.render().as_bytes())?;
    println!("  baseline: {} with {}", shown(path), counted(baseline.leaks() as u64, "known leak"));
    let has_new = finished.run.tests.iter().any(|test| test.status.is_leak());
    if has_new && !settings.warn_only.value {
        eprintln!(
            "leakcheck: `--update` adds no leaks, and some are not in the baseline; fix them, or run `cargo leakcheck \
             baseline`"
        );
        return Ok(Exit::Leaks);
    }
    Ok(Exit::Clean)
}

/// `cargo leakcheck diff`
fn diff(args: &DiffArgs) -> Result<Exit> {
    let (before, after) = (merge::read(&args.before)?, merge::read(&args.after)?);
    let tolerance = Workspace::find(&Query::default())
        .and_then(|w| {
            Settings::read(&Default::default(), &Default::default(), &w, &Default::default())
        })
        .map_or_else(|_| Tolerance::default(), |settings| settings.tolerance.value);
    let diff = Diff::of(&before, &after, &tolerance);
    println!("{}", diff.render());
    let mut exits = Vec::from_iter(diff.is_worse().then_some(Exit::Leaks));
    for (path, run) in [(&args.before, &before), (&args.after, &after)] {
        for problem in &run.problems {
            eprintln!("leakcheck: `{}` is incomplete: {}", path.display(), table::plain(problem));
            exits.push(Exit::Incomplete);
        }
    }
    Ok(Exit::most_important(&exits))
}

/// `cargo leakcheck merge`
fn merge(args: &MergeArgs) -> Result<Exit> {
    let files = merge::files(&args.runs)?;
    let runs = files.iter().map(|file| merge::read(file)).collect::<Result<Vec<Run>>>()?;
    let mut run = merge::join(runs, args.shards);
    run.meta.warn_only = (run.meta.warn_only || args.warn_only) && !args.fail_on_leaks;
    let workspace = Workspace::find_or_here();
    let conclusion = Conclusion {
        workspace: &workspace,
        always: args.report.is_empty().then_some(workspace.output.as_path()),
        extent: extent(args.all, args.top.unwrap_or(3)),
        reports: args.report.clone(),
        history: args.history.as_deref(),
    };
    conclusion.publish(&run, Vec::new())?;
    let exit = judge::exit(&run, false);
    explain_exit(&run, exit);
    Ok(exit)
}

/// `cargo leakcheck config`
fn config(args: &ConfigArgs) -> Result<Exit> {
    let query = Query { manifest_path: args.manifest_path.clone(), ..Query::default() };
    let workspace = Workspace::find(&query)?;
    let settings = Settings::read(&args.leaks, &args.output, &workspace, &environment()?)?;
    println!("{}", show(&settings));
    Ok(Exit::Clean)
}
