//! The effective settings. The command line overrides the environment, which overrides the manifest,
//! which overrides the defaults.

mod env;
mod manifest;
mod rules;
pub(crate) mod show;
mod source;

use std::path::PathBuf;

use crate::baseline::Tolerance;
use crate::cli::{LeakArgs, OutputArgs, RunnerArg};
use crate::error::{Error, Result};
use crate::formats::Target;
use crate::iterations::{self, Iterations};
use crate::workspace::Workspace;
use leakcheck_report::pattern::Glob;
use leakcheck_report::{Kind, Stacks};
use manifest::Manifest;
use rules::{Suppression, TestLimit, bytes_to_mb};

pub(crate) use env::Environment;
pub(crate) use rules::Skip;
use source::Place;
pub(crate) use source::SettingSource;

/// The default path of the baseline.
const BASELINE: &str = "leakcheck-baseline.json";
const DEFAULT_TOP: u64 = 3;

/// A value and its source.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    pub(crate) source: SettingSource,
}

/// The effective settings.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) threshold_mb: Option<Setting<f64>>,
    /// The default limits of kinds, in MiB, in the order of [`Kind::ALL`].
    pub(crate) kinds: [Setting<f64>; 3],
    pub(crate) tests: Vec<TestLimit>,
    pub(crate) skip: Vec<Skip>,
    pub(crate) suppressions: Vec<Suppression>,
    /// The file that `LEAK_SUPPRESSIONS` names.
    pub(crate) suppressions_file: Option<Setting<String>>,
    pub(crate) iterations: Option<Setting<Iterations>>,
    pub(crate) stacks: Setting<Stacks>,
    /// Whether live bytes are recorded over time.
    pub(crate) timeline: Setting<bool>,
    pub(crate) top: Setting<u64>,
    pub(crate) warn_only: Setting<bool>,
    pub(crate) runner: Setting<RunnerArg>,
    pub(crate) optimize: Setting<bool>,
    pub(crate) baseline: Setting<Option<PathBuf>>,
    pub(crate) tolerance: Setting<Tolerance>,
    pub(crate) history: Option<Setting<PathBuf>>,
    pub(crate) reports: Vec<Setting<Target>>,
    /// Where the reports go that every run writes, if not to the target directory.
    pub(crate) report_dir: Option<Setting<PathBuf>>,
    pub(crate) all: bool,
    pub(crate) verbose: bool,
}

impl Settings {
    /// Reads the settings from all sources.
    ///
    /// # Errors
    ///
    /// If a value is invalid.
    pub(crate) fn read(
        leaks: &LeakArgs,
        output: &OutputArgs,
        workspace: &Workspace,
        env: &Environment,
    ) -> Result<Self> {
        let manifest = Manifest::read(workspace)?;
        env.check()?;
        let of_kind = |kind: Kind| -> Result<Setting<f64>> {
            let place = || Place::KeyOf { table: "limits", key: kind.name() };
            let of_manifest =
                manifest.limits.of(kind).map(|mb| set(mb, SettingSource::Manifest(place())));
            let default = || set(bytes_to_mb(kind.default_bytes()), SettingSource::Default);
            Ok(env.mebibytes(kind.variable())?.or(of_manifest).unwrap_or_else(default))
        };
        let threshold_mb = match leaks.threshold_mb {
            Some(mb) => Some(set(mb, SettingSource::Flag("--threshold-mb"))),
            None => env.mebibytes("LEAK_THRESHOLD_MB")?,
        };
        let timeline = match leaks.timeline {
            true => Some(set(true, SettingSource::Flag("--timeline"))),
            false => env.switch("LEAK_TIMELINE")?,
        };
        let top =
            leaks.top.map(|top| set(top, SettingSource::Flag("--top"))).or(env.number("LEAK_TOP")?);
        let iterations = leaks.iterations.map(|n| set(n, SettingSource::Flag("--iterations")));
        let baseline = match (&leaks.baseline, leaks.no_baseline) {
            (_, true) => set(None, SettingSource::Flag("--no-baseline")),
            (Some(path), _) => set(Some(path.clone()), SettingSource::Flag("--baseline")),
            (None, _) => match &manifest.baseline {
                Some(path) => set(Some(workspace.root.join(path)), SettingSource::key("baseline")),
                None => set(Some(workspace.root.join(BASELINE)), SettingSource::Default),
            },
        };
        let switch =
            |flag: bool, name, manifest: Option<bool>, key, default: bool| match (flag, manifest) {
                (true, _) => set(!default, SettingSource::Flag(name)),
                (_, Some(value)) => set(value, SettingSource::key(key)),
                _ => set(default, SettingSource::Default),
            };
        let reports =
            output.report.iter().map(|target| set(target.clone(), SettingSource::Flag("--report")));
        let reports: Vec<_> = if output.report.is_empty() {
            let of_manifest = manifest.reports(&workspace.root)?;
            of_manifest
                .into_iter()
                .map(|target| set(target, SettingSource::key("reports")))
                .collect()
        } else {
            reports.collect()
        };
        Ok(Self {
            threshold_mb,
            kinds: [of_kind(Kind::ALL[0])?, of_kind(Kind::ALL[1])?, of_kind(Kind::ALL[2])?],
            tests: manifest.test_limits(),
            skip: skips(leaks, env, &manifest),
            suppressions: manifest.suppressions(),
            suppressions_file: env.text("LEAK_SUPPRESSIONS"),
            iterations: iterations
                .or(env.parse("LEAK_ITERATIONS", iterations::EXPECTED, |text| text.parse().ok())?)
                .or(manifest.iterations.map(|n| set(n, SettingSource::key("iterations")))),
            stacks: env
                .parse("LEAK_STACKS", Stacks::EXPECTED, Stacks::from_name)?
                .or(manifest.stacks.map(|stacks| set(stacks, SettingSource::key("stacks"))))
                .unwrap_or_else(|| set(Stacks::Full, SettingSource::Default)),
            timeline: timeline
                .or(manifest.timeline.map(|on| set(on, SettingSource::key("timeline"))))
                .unwrap_or_else(|| set(false, SettingSource::Default)),
            top: top
                .or(manifest.top.map(|top| set(top, SettingSource::key("top"))))
                .unwrap_or_else(|| set(DEFAULT_TOP, SettingSource::Default)),
            warn_only: match env.warn_only()? {
                Some(warn_only) if !leaks.warn_only => warn_only,
                _ => switch(leaks.warn_only, "--warn-only", manifest.warn_only, "warn_only", false),
            },
            runner: leaks
                .runner
                .map(|runner| set(runner, SettingSource::Flag("--runner")))
                .or(manifest.runner.map(|runner| set(runner, SettingSource::key("runner"))))
                .unwrap_or_else(|| set(RunnerArg::Auto, SettingSource::Default)),
            optimize: switch(
                leaks.no_optimize,
                "--no-optimize",
                manifest.optimize,
                "optimize",
                true,
            ),
            baseline,
            tolerance: manifest.tolerance.map_or_else(
                || set(Tolerance::default(), SettingSource::Default),
                |tolerance| set(tolerance, SettingSource::Manifest(Place::Table("tolerance"))),
            ),
            history: output
                .history
                .clone()
                .map(|dir| set(dir, SettingSource::Flag("--history")))
                .or_else(|| {
                    let dir = manifest.history.as_ref()?;
                    Some(set(workspace.root.join(dir), SettingSource::key("history")))
                }),
            reports,
            report_dir: env.parse("LEAK_REPORT_DIR", "the path of a directory", |text| {
                (!text.is_empty()).then(|| PathBuf::from(text))
            })?,
            all: output.all,
            verbose: output.verbose,
        })
    }

    /// The limit for a test by its name. It applies if the test has no limit of its own.
    pub(crate) fn limit_of(&self, id: &str, name: &str) -> Option<&TestLimit> {
        self.tests.iter().find(|rule| rule.tests.matches(name) || rule.tests.matches(id))
    }
}

fn set<T>(value: T, source: SettingSource) -> Setting<T> {
    Setting { value, source }
}

fn skips(leaks: &LeakArgs, env: &Environment, manifest: &Manifest) -> Vec<Skip> {
    let skip = |glob: &str, name: &str, source: SettingSource| Skip {
        tests: Glob::new(glob),
        why: format!("{name} has `{glob}`"),
        source,
    };
    let by_flag = leaks.skip.iter().map(|glob| skip(glob, "--skip", SettingSource::Flag("--skip")));
    let mut skips: Vec<Skip> = by_flag.collect();
    if let Some(globs) = env.text("LEAK_SKIP") {
        let globs = globs.value.split(',').map(str::trim).filter(|glob| !glob.is_empty());
        let source = || SettingSource::Variable("LEAK_SKIP".to_owned());
        skips.extend(globs.map(|glob| skip(glob, "LEAK_SKIP", source())));
    }
    skips.extend(manifest.skips());
    skips
}

impl Environment {
    fn text(&self, name: &str) -> Option<Setting<String>> {
        self.get(name).map(|(value, source)| set(value.to_owned(), source.clone()))
    }

    fn mebibytes(&self, name: &str) -> Result<Option<Setting<f64>>> {
        self.parse(name, "a number of MiB, 0 or more, such as `5` or `0.5`", |text| {
            text.parse().ok().filter(|mb: &f64| mb.is_finite() && *mb >= 0.0)
        })
    }

    fn number(&self, name: &str) -> Result<Option<Setting<u64>>> {
        self.parse(name, "a whole number, 1 or more", |text| text.parse().ok().filter(|n| *n > 0))
    }

    fn switch(&self, name: &str) -> Result<Option<Setting<bool>>> {
        self.parse(name, "`on` or `off`", |text| match text {
            "on" | "1" | "true" => Some(true),
            "off" | "0" | "false" => Some(false),
            _ => None,
        })
    }

    /// Whether leaks only warn, by `LEAK_CHECK`.
    fn warn_only(&self) -> Result<Option<Setting<bool>>> {
        let mode =
            self.parse("LEAK_CHECK", "`on`, `warn`, `record` or `off`", |text| match text {
                "on" => Some(Some(false)),
                "warn" | "record" => Some(Some(true)),
                "off" => Some(None),
                _ => None,
            })?;
        let Some(Setting { value, source }) = mode else { return Ok(None) };
        let Some(warn_only) = value else {
            return Err(Error::unusable(format!(
                "`LEAK_CHECK` is `off` ({source}), so nothing would be checked; unset it, or run `cargo test`"
            )));
        };
        Ok(Some(set(warn_only, source)))
    }

    /// Checks variables that only the tests read. An invalid value would fail every test.
    fn check(&self) -> Result<()> {
        let one_of = |name, expected, words: &[&str]| {
            self.parse(name, expected, |text| words.contains(&text).then_some(()))
        };
        one_of("LEAK_HOLDERS", "`auto`, `on`, `rerun` or `off`", &["auto", "on", "rerun", "off"])?;
        self.parse("LEAK_LOST_BYTES", "a whole number of bytes", |text| text.parse::<u64>().ok())?;
        self.number("LEAK_ITERATIONS_MAX")?;
        self.switch("LEAK_RECORD")?;
        Ok(())
    }

    fn parse<T>(
        &self,
        name: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<Setting<T>>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match parse(text.value.trim()) {
            Some(value) => Ok(Some(set(value, text.source))),
            None => {
                Err(Error::unusable(format!("`{name}` is `{}`, expected {expected}", text.value)))
            }
        }
    }
}
