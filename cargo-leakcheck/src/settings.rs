//! The effective settings: the command line overrides the environment, which overrides the manifest and the defaults.

mod env;
mod manifest;
mod rules;
pub(crate) mod show;

use std::path::PathBuf;

use crate::baseline::Tolerance;
use crate::cli::{LeakArgs, OutputArgs, RunnerArg};
use crate::error::{Error, Result};
use crate::formats::Target;
use crate::iterations::{self, Iterations};
use crate::workspace::Workspace;
use leakcheck_report::pattern::Glob;
use manifest::Manifest;
use rules::{Suppression, TestLimit};

pub(crate) use env::Environment;
pub(crate) use rules::{KINDS, Skip};

/// The default path of the baseline.
const BASELINE: &str = "leakcheck-baseline.json";
const DEFAULT_TOP: u64 = 3;

/// A value and its source.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    pub(crate) source: String,
}

/// The effective settings.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) threshold_mb: Option<Setting<f64>>,
    /// The default limits of kinds, in the order of [`KINDS`].
    pub(crate) kinds: [Setting<f64>; 3],
    pub(crate) tests: Vec<TestLimit>,
    pub(crate) skip: Vec<Skip>,
    pub(crate) suppressions: Vec<Suppression>,
    /// `LEAK_SUPPRESSIONS`.
    pub(crate) suppressions_file: Option<Setting<String>>,
    pub(crate) iterations: Option<Setting<Iterations>>,
    pub(crate) stacks: Setting<String>,
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
    pub(crate) all: bool,
    pub(crate) verbose: bool,
}

impl Settings {
    /// Reads the settings from all sources.
    ///
    /// # Errors
    ///
    /// When a value is not valid.
    pub(crate) fn read(
        leaks: &LeakArgs,
        output: &OutputArgs,
        workspace: &Workspace,
        env: &Environment,
    ) -> Result<Self> {
        let manifest = Manifest::read(workspace)?;
        env.check()?;
        let place = manifest::TABLE;
        let by_kind = |at: usize| -> Result<Setting<f64>> {
            let (_, name, variable, default) = KINDS[at];
            let limit = env.mebibytes(variable)?.or_else(|| {
                manifest.limits.of(at).map(|mb| set(mb, format!("{place}.limits] {name}")))
            });
            Ok(limit.unwrap_or_else(|| set(default, "default")))
        };
        let threshold_mb = match leaks.threshold_mb {
            Some(mb) => Some(set(mb, "--threshold-mb")),
            None => env.mebibytes("LEAK_THRESHOLD_MB")?,
        };
        let timeline = match leaks.timeline {
            true => Some(set(true, "--timeline")),
            false => env.switch("LEAK_TIMELINE")?,
        };
        let top = leaks.top.map(|top| set(top, "--top")).or(env.number("LEAK_TOP")?);
        let iterations = leaks.iterations.map(|n| set(n, "--iterations"));
        let baseline = match (&leaks.baseline, leaks.no_baseline) {
            (_, true) => set(None, "--no-baseline"),
            (Some(path), _) => set(Some(path.clone()), "--baseline"),
            (None, _) => match &manifest.baseline {
                Some(path) => set(Some(workspace.root.join(path)), format!("{place}] baseline")),
                None => set(Some(workspace.root.join(BASELINE)), "default"),
            },
        };
        let switch =
            |flag: bool, name: &str, manifest: Option<bool>, key: &str, default: bool| match (
                flag, manifest,
            ) {
                (true, _) => set(!default, name),
                (_, Some(value)) => set(value, format!("{place}] {key}")),
                _ => set(default, "default"),
            };
        let reports = output.report.iter().map(|target| set(target.clone(), "--report"));
        let reports: Vec<_> = if output.report.is_empty() {
            let of_manifest = manifest.reports(&workspace.root)?;
            of_manifest.into_iter().map(|target| set(target, format!("{place}] reports"))).collect()
        } else {
            reports.collect()
        };
        Ok(Self {
            threshold_mb,
            kinds: [by_kind(0)?, by_kind(1)?, by_kind(2)?],
            tests: manifest.test_limits(),
            skip: skips(leaks, env, &manifest),
            suppressions: manifest.suppressions(),
            suppressions_file: env.text("LEAK_SUPPRESSIONS"),
            iterations: iterations
                .or(env.parse("LEAK_ITERATIONS", iterations::EXPECTED, |text| text.parse().ok())?)
                .or(manifest.iterations.map(|n| set(n, format!("{place}] iterations")))),
            stacks: env
                .text("LEAK_STACKS")
                .or(manifest.stacks.clone().map(|stacks| set(stacks, format!("{place}] stacks"))))
                .unwrap_or_else(|| set("full".to_owned(), "default")),
            timeline: timeline
                .or(manifest.timeline.map(|on| set(on, format!("{place}] timeline"))))
                .unwrap_or_else(|| set(false, "default")),
            top: top
                .or(manifest.top.map(|top| set(top, format!("{place}] top"))))
                .unwrap_or_else(|| set(DEFAULT_TOP, "default")),
            warn_only: switch(
                leaks.warn_only,
                "--warn-only",
                manifest.warn_only,
                "warn_only",
                false,
            ),
            runner: leaks
                .runner
                .map(|runner| set(runner, "--runner"))
                .or(manifest.runner.map(|runner| set(runner, format!("{place}] runner"))))
                .unwrap_or_else(|| set(RunnerArg::Auto, "default")),
            optimize: switch(
                leaks.no_optimize,
                "--no-optimize",
                manifest.optimize,
                "optimize",
                true,
            ),
            baseline,
            tolerance: manifest.tolerance.map_or_else(
                || set(Tolerance::default(), "default"),
                |tolerance| set(tolerance, format!("{place}.tolerance]")),
            ),
            history: output.history.clone().map(|dir| set(dir, "--history")).or_else(|| {
                let dir = manifest.history.as_ref()?;
                Some(set(workspace.root.join(dir), format!("{place}] history")))
            }),
            reports,
            all: output.all,
            verbose: output.verbose,
        })
    }

    /// The limit that a test has by its name, where it has none of its own.
    pub(crate) fn limit_of(&self, id: &str, name: &str) -> Option<&TestLimit> {
        self.tests.iter().find(|rule| rule.tests.matches(name) || rule.tests.matches(id))
    }
}

fn set<T>(value: T, source: impl Into<String>) -> Setting<T> {
    Setting { value, source: source.into() }
}

fn skips(leaks: &LeakArgs, env: &Environment, manifest: &Manifest) -> Vec<Skip> {
    let by = |source: &'static str| {
        move |glob: &str| Skip {
            tests: Glob::new(glob),
            why: format!("{source} has `{glob}`"),
            source: source.to_owned(),
        }
    };
    let mut skips: Vec<Skip> = leaks.skip.iter().map(String::as_str).map(by("--skip")).collect();
    if let Some(globs) = env.text("LEAK_SKIP") {
        let globs = globs.value.split(',').map(str::trim).filter(|glob| !glob.is_empty());
        skips.extend(globs.map(by("LEAK_SKIP")));
    }
    skips.extend(manifest.skips());
    skips
}

impl Environment {
    fn text(&self, name: &str) -> Option<Setting<String>> {
        self.get(name).map(|(value, source)| set(value.to_owned(), source))
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

    /// What only the tests read: every one of them would fail for it.
    fn check(&self) -> Result<()> {
        let one_of = |name, expected, words: &[&str]| {
            self.parse(name, expected, |text| words.contains(&text).then_some(()))
        };
        one_of("LEAK_STACKS", "`full`, `sampled` or `off`", &["full", "sampled", "off"])?;
        one_of("LEAK_HOLDERS", "`auto`, `on` or `off`", &["auto", "on", "off"])?;
        self.parse("LEAK_LOST_BYTES", "a whole number of bytes", |text| text.parse::<u64>().ok())?;
        self.number("LEAK_ITERATIONS_MAX")?;
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
