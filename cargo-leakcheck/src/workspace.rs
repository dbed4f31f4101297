//! The project that the command is called in.

use std::path::{Path, PathBuf};

use cargo_metadata::{CargoOpt, MetadataCommand, PackageId};

use crate::error::{Error, Result};
use crate::setup::TestProgram;
use leakcheck_report::file::{self, Target};
use leakcheck_report::run::Harness;

/// The crates that every check runs, or that resolve the names of call sites.
const TRACKING: [&str; 12] = [
    "leakcheck",
    "leakcheck-holders",
    "leakcheck-ledger",
    "leakcheck-report",
    "leakcheck-symbols",
    "leakcheck-system",
    "leakcheck-unwind",
    "backtrace",
    "gimli",
    "addr2line",
    "object",
    "miniz_oxide",
];

/// Selects a project, and what cargo may do to describe it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pub(crate) manifest_path: Option<PathBuf>,
    pub(crate) target_dir: Option<PathBuf>,
    pub(crate) locked: bool,
    pub(crate) offline: bool,
    pub(crate) frozen: bool,
}

/// The project that the command is called in.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// The directory for the files of this command.
    pub(crate) output: PathBuf,
    /// The crates of [`TRACKING`] that the project builds.
    pub(crate) tracking: Vec<&'static str>,
    /// `[workspace.metadata.leakcheck]`, and its manifest.
    pub(crate) settings: serde_json::Value,
    pub(crate) manifest: PathBuf,
    pub(crate) members: Vec<Member>,
}

/// A package of the workspace.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    id: PackageId,
    name: String,
    manifest: PathBuf,
}

impl Workspace {
    /// Runs `cargo metadata`.
    pub(crate) fn find(query: &Query) -> Result<Self> {
        let mut command = MetadataCommand::new();
        if let Some(manifest) = &query.manifest_path {
            command.manifest_path(manifest);
        }
        command.features(CargoOpt::AllFeatures);
        let switches =
            [("--locked", query.locked), ("--offline", query.offline), ("--frozen", query.frozen)];
        let switches = switches.iter().filter(|(_, on)| *on).map(|(name, _)| (*name).to_owned());
        command.other_options(switches.collect::<Vec<_>>());
        let metadata = command.exec().map_err(|error| match error {
            cargo_metadata::Error::CargoMetadata { stderr } => {
                Error::unusable(format!("`cargo metadata` failed: {}", stderr.trim_end()))
            }
            other => Error::unusable(format!("`cargo metadata` failed: {other}")),
        })?;
        let root = metadata.workspace_root.clone().into_std_path_buf();
        let target = match &query.target_dir {
            Some(target) => target.clone(),
            None => metadata.target_directory.clone().into_std_path_buf(),
        };
        let builds = |name: &&str| metadata.packages.iter().any(|package| *package.name == **name);
        let members = metadata.workspace_packages().into_iter();
        Ok(Self {
            manifest: root.join("Cargo.toml"),
            output: target.join("leakcheck"),
            tracking: TRACKING.into_iter().filter(|name| builds(name)).collect(),
            members: members.map(Member::of).collect(),
            settings: metadata
                .workspace_metadata
                .get("leakcheck")
                .or_else(|| metadata.root_package()?.metadata.get("leakcheck"))
                .cloned()
                .unwrap_or_default(),
            root,
        })
    }

    /// The project of the working directory. Without a project it is the directory alone, because runs
    /// can be merged anywhere.
    pub(crate) fn find_or_here() -> Self {
        Self::find(&Query::default()).unwrap_or_else(|_| Self {
            root: PathBuf::from("."),
            output: PathBuf::from("leakcheck"),
            tracking: Vec::new(),
            settings: serde_json::Value::Null,
            manifest: PathBuf::new(),
            members: Vec::new(),
        })
    }

    /// A test program that cargo has built. `None` if its package is outside of the workspace.
    pub(crate) fn program(&self, id: &PackageId, kind: &str, target: &str) -> Option<TestProgram> {
        let member = self.members.iter().find(|member| member.id == *id)?;
        let harness = member.harness(kind, target);
        Some(TestProgram { folder: folder(&member.name, kind, target), harness })
    }

    /// A file of the project, by its path in a report.
    pub(crate) fn source(&self, file: &str) -> Option<PathBuf> {
        let path = Path::new(file);
        let inside = !path.is_absolute() && path.iter().all(|part| part != "..");
        inside.then(|| self.root.join(path)).filter(|path| path.is_file())
    }
}

impl Member {
    fn of(package: &cargo_metadata::Package) -> Self {
        Self {
            id: package.id.clone(),
            name: package.name.to_string(),
            manifest: package.manifest_path.clone().into_std_path_buf(),
        }
    }

    /// Only the manifest says whether a target has `harness = false`.
    fn harness(&self, kind: &str, target: &str) -> Harness {
        let text = std::fs::read_to_string(&self.manifest).unwrap_or_default();
        let manifest: toml::Table = text.parse().unwrap_or_default();
        let is_custom =
            |table: &toml::Value| table.get("harness") == Some(&toml::Value::Boolean(false));
        let has_name =
            |table: &&toml::Value| table.get("name").and_then(toml::Value::as_str) == Some(target);
        let table = match kind {
            "bin" | "example" | "test" | "bench" => {
                let tables = manifest.get(kind).and_then(toml::Value::as_array);
                tables.into_iter().flatten().find(has_name)
            }
            // A library, of a kind such as `lib`, `rlib` or `proc-macro`.
            _ => manifest.get("lib"),
        };
        if table.is_some_and(is_custom) { Harness::Custom } else { Harness::Libtest }
    }
}

/// The folder of a target's reports.
pub(crate) fn folder(package: &str, kind: &str, target: &str) -> String {
    let target = match kind {
        "test" => Target::Integration(target),
        "bin" => Target::Binary(target),
        _ => Target::Library,
    };
    file::folder(package, target)
}
