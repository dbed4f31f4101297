//! `[workspace.metadata.leakcheck]` of the workspace's manifest.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, de};

use super::rules::{Skip, Suppression, TestLimit, mb_to_bytes};
use super::source::{Place, SettingSource};
use crate::baseline::Tolerance;
use crate::cli::RunnerArg;
use crate::error::{Error, Result};
use crate::formats::Target;
use crate::iterations::Iterations;
use crate::workspace::Workspace;
use leakcheck_report::pattern::Glob;
use leakcheck_report::{Kind, Stacks};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    #[serde(default)]
    pub(super) limits: Limits,
    #[serde(default)]
    tests: Vec<Test>,
    #[serde(default)]
    skip: Vec<SkipRule>,
    #[serde(default)]
    suppress: Vec<Suppress>,
    pub(super) iterations: Option<Iterations>,
    #[serde(default, deserialize_with = "stacks")]
    pub(super) stacks: Option<Stacks>,
    pub(super) timeline: Option<bool>,
    pub(super) top: Option<u64>,
    pub(super) warn_only: Option<bool>,
    pub(super) runner: Option<RunnerArg>,
    pub(super) optimize: Option<bool>,
    pub(super) baseline: Option<PathBuf>,
    pub(super) tolerance: Option<Tolerance>,
    pub(super) history: Option<PathBuf>,
    #[serde(default)]
    reports: Vec<String>,
}

/// Default limits of kinds, in MiB.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table such as `{ unit = 0.5, integration = 5 }`")]
pub(super) struct Limits {
    unit: Option<f64>,
    integration: Option<f64>,
    long_running: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as `{ name = \"import::*\", threshold_mb = 50 }`"
)]
struct Test {
    name: String,
    threshold_mb: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as `{ name = \"*::slow\", why = \"a reason\" }`"
)]
struct SkipRule {
    name: String,
    why: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as `{ leak = \"a pattern\", why = \"a reason\" }`"
)]
struct Suppress {
    leak: String,
    why: String,
}

impl Manifest {
    /// # Errors
    ///
    /// If a key or a value is invalid. The error names its place.
    pub(super) fn read(workspace: &Workspace) -> Result<Self> {
        if workspace.settings.is_null() {
            return Ok(Self::default());
        }
        let wrong = |place: &str, why: &str| {
            let place = if place == "." { String::new() } else { format!(" `{place}`:") };
            Error::unusable(format!(
                "`[workspace.metadata.leakcheck]` in `{}`:{place} {why}",
                workspace.manifest.display()
            ))
        };
        let manifest: Self =
            serde_path_to_error::deserialize(&workspace.settings).map_err(|error| {
                // Replaces the names of Rust types.
                let why = error.inner().to_string();
                let why = why.replace("expected f64", "expected a number");
                let why = why.replace("expected u64", "expected a whole number");
                wrong(&error.path().to_string(), &why)
            })?;
        manifest.check().map_err(|(place, why)| wrong(&place, &why))?;
        Ok(manifest)
    }

    fn check(&self) -> std::result::Result<(), (String, String)> {
        let expected = |place: String, what: &str| Err((place, format!("expected {what}")));
        let is_size = |mb: f64| mb.is_finite() && mb >= 0.0;
        let size = "a number of MiB, 0 or more, such as `5` or `0.5`";
        for kind in Kind::ALL {
            if !self.limits.of(kind).is_none_or(is_size) {
                return expected(format!("limits.{}", kind.name()), size);
            }
        }
        for (at, test) in self.tests.iter().enumerate() {
            if !is_size(test.threshold_mb) {
                return expected(format!("tests[{at}].threshold_mb"), size);
            }
        }
        for (at, skip) in self.skip.iter().enumerate() {
            if skip.why.trim().is_empty() {
                return expected(format!("skip[{at}].why"), "a reason");
            }
            if skip.name.contains(',') {
                return expected(format!("skip[{at}].name"), "one glob; write an entry for each");
            }
        }
        for (at, suppress) in self.suppress.iter().enumerate() {
            if suppress.leak.trim().is_empty() || suppress.leak.contains('\n') {
                return expected(format!("suppress[{at}].leak"), "a LeakSanitizer pattern");
            }
        }
        if self.top == Some(0) {
            return expected("top".to_owned(), "a whole number, 1 or more");
        }
        match self.tolerance.as_ref().and_then(Tolerance::invalid_value) {
            Some(name) => expected(format!("tolerance.{name}"), "a number, 0 or more"),
            None => Ok(()),
        }
    }

    pub(super) fn test_limits(&self) -> Vec<TestLimit> {
        let limits = self.tests.iter().enumerate().map(|(at, test)| TestLimit {
            tests: Glob::new(&test.name),
            bytes: mb_to_bytes(test.threshold_mb),
            source: SettingSource::Manifest(Place::Entry {
                list: "tests",
                index: at,
                name: Some(test.name.clone()),
            }),
        });
        limits.collect()
    }

    pub(super) fn skips(&self) -> impl Iterator<Item = Skip> {
        self.skip.iter().enumerate().map(|(at, skip)| Skip {
            tests: Glob::new(&skip.name),
            why: skip.why.clone(),
            source: SettingSource::Manifest(Place::Entry { list: "skip", index: at, name: None }),
        })
    }

    pub(super) fn suppressions(&self) -> Vec<Suppression> {
        let suppressions = self.suppress.iter();
        suppressions.map(|s| Suppression { leak: s.leak.clone(), why: s.why.clone() }).collect()
    }

    /// The reports that every run writes. Their paths are relative to the workspace.
    pub(super) fn reports(&self, root: &Path) -> Result<Vec<Target>> {
        let target = |text: &String| {
            let target: Target = text.parse().map_err(|why| {
                Error::unusable(format!(
                    "`Cargo.toml [workspace.metadata.leakcheck]` `reports` has `{text}`: {why}"
                ))
            })?;
            Ok(target.below(root))
        };
        self.reports.iter().map(target).collect()
    }
}

impl Limits {
    pub(super) fn of(&self, kind: Kind) -> Option<f64> {
        match kind {
            Kind::Unit => self.unit,
            Kind::Integration => self.integration,
            Kind::LongRunning => self.long_running,
            _ => None,
        }
    }
}

fn stacks<'a, D: Deserializer<'a>>(from: D) -> std::result::Result<Option<Stacks>, D::Error> {
    let name = String::deserialize(from)?;
    let stacks = Stacks::from_name(&name);
    let expected = || de::Error::custom(format_args!("expected {}", Stacks::EXPECTED));
    stacks.map(Some).ok_or_else(expected)
}
