//! The verbs of the command, one function each.

use anstream::{eprint, eprintln, print, println};

use crate::baseline::Baseline;
use crate::cli::{BaselineArgs, ConfigArgs, Leakcheck, RunArgs, SelectArgs, Verb};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::formats::{self, Context, Format, Target};
use crate::model::{Run, Status};
use crate::settings::{self, Settings, shown};
use crate::suite::Finished;
use crate::table::{self, Extent};
use crate::workspace::Workspace;
use crate::{judge, output, suite};

pub(crate) fn go(command: Leakcheck) -> Result<Exit> {
    match command.verb {
        None => check(&command.run),
        Some(Verb::Baseline(args)) => baseline(&args),
        Some(Verb::Config(args)) => config(&args),
        Some(Verb::Diff(_) | Verb::Merge(_)) => Err(Error::usage("not yet")),
    }
}

fn read(args: &RunArgs) -> Result<(Workspace, Settings)> {
    let workspace = Workspace::find(&args.select)?;
    let settings = Settings::read(&args.leaks, &args.output, &workspace, variable)?;
    Ok((workspace, settings))
}

fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// `cargo leakcheck`
fn check(args: &RunArgs) -> Result<Exit> {
    let (workspace, settings) = read(args)?;
    // A baseline that cannot be read is said before the tests run for an hour.
    let baseline = match &settings.baseline.value {
        Some(path) => Baseline::read(path)?.map(|baseline| (path, baseline)),
        None => None,
    };
    if settings.baseline.source == "--baseline" && baseline.is_none() {
        let path = settings.baseline.value.as_deref().map(shown).unwrap_or_default();
        return Err(Error::unusable(format!(
            "there is no baseline `{path}`; `cargo leakcheck baseline` writes one"
        )));
    }
    let mut finished = suite::run(args, &settings, &workspace)?;
    if let Some((path, baseline)) = baseline {
        baseline.hold(&mut finished.run, &settings.tolerance.value);
        finished.run.meta.baseline = Some(path.display().to_string());
    }
    show_failures(&finished, &settings);
    let exit = judge::exit(&finished.run, finished.failed_otherwise);
    conclude(&finished.run, &settings, &workspace)?;
    say_why(&finished, exit);
    Ok(exit)
}

/// What the runner said, where a test failed or did not end and it was not shown already.
fn show_failures(finished: &Finished, settings: &Settings) {
    let failed = finished.failed_otherwise
        || finished.run.count(&[Status::Failed, Status::Blind, Status::CutOff]) > 0
        || !finished.run.problems.is_empty();
    if failed && !settings.verbose {
        eprint!("{}", finished.output);
    }
}

/// The table and the reports.
fn conclude(run: &Run, settings: &Settings, workspace: &Workspace) -> Result<()> {
    let extent = Extent {
        all: settings.all,
        top: usize::try_from(settings.top.value).unwrap_or(usize::MAX),
    };
    print!("{}", table::render(run, extent));
    let own = |format, name: &str| Target { format, path: workspace.output.join(name) };
    let always = [own(Format::Json, "report.json")];
    let asked = settings.reports.iter().map(|report| report.value.clone());
    let context = Context::default();
    for target in always.into_iter().chain(asked) {
        output::write(&target.path, &formats::render(target.format, run, &context)?)?;
        println!("  {}: {}", target.format.word(), shown(&target.path));
    }
    Ok(())
}

/// Why the command does not end well, where the table alone does not say it.
fn say_why(finished: &Finished, exit: Exit) {
    match exit {
        Exit::Clean | Exit::Leaks => {}
        Exit::NothingChecked if finished.run.tests.is_empty() => {
            eprintln!("leakcheck: no test ran");
        }
        Exit::NothingChecked => eprintln!(
            "leakcheck: {} ran and none is checked: put `leakcheck::check_all!();` into each test program, or \
             `#[leakcheck::leak_check]` on tests or modules",
            crate::size::count(finished.run.tests.len(), "test")
        ),
        _ => eprintln!("leakcheck: {}", exit.meaning()),
    }
}

/// `cargo leakcheck baseline`
fn baseline(args: &BaselineArgs) -> Result<Exit> {
    let (workspace, settings) = read(&args.run)?;
    let Some(path) = &settings.baseline.value else {
        return Err(Error::usage("`baseline` writes one, so leave out `--no-baseline`"));
    };
    let known = Baseline::read(path)?;
    if args.update && known.is_none() {
        let path = shown(path);
        return Err(Error::unusable(format!("there is no baseline `{path}` to be updated")));
    }
    let mut finished = suite::run(&args.run, &settings, &workspace)?;
    show_failures(&finished, &settings);
    finished.run.meta.warn_only = true;
    // What cannot be relied on is no baseline.
    let exit = judge::exit(&finished.run, finished.failed_otherwise);
    let baseline = match known {
        Some(known) if args.update => known.updated_by(&finished.run),
        Some(known) if finished.run.meta.selected => known.replaced_by(Baseline::of(&finished.run)),
        _ => Baseline::of(&finished.run),
    };
    conclude(&finished.run, &settings, &workspace)?;
    if exit != Exit::Clean {
        say_why(&finished, exit);
        eprintln!("leakcheck: no baseline is written");
        return Ok(exit);
    }
    output::write(path, baseline.render().as_bytes())?;
    println!(
        "  baseline: {} with {}",
        shown(path),
        crate::size::count(baseline.leaks(), "known leak")
    );
    Ok(Exit::Clean)
}

/// `cargo leakcheck config`
fn config(args: &ConfigArgs) -> Result<Exit> {
    let select = SelectArgs { manifest_path: args.manifest_path.clone(), ..SelectArgs::default() };
    let workspace = Workspace::find(&select)?;
    let settings = Settings::read(&args.leaks, &args.output, &workspace, variable)?;
    println!("{}", settings::show(&settings));
    Ok(Exit::Clean)
}
