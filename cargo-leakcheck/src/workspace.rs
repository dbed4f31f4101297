//! The project that the command is called in.

use std::path::{Path, PathBuf};

use cargo_metadata::{CargoOpt, MetadataCommand};

use crate::cli::SelectArgs;
use crate::error::{Error, Result};

/// Crates that take part in every check or in naming its call sites.
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

/// The project that the command is called in.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Where this command keeps what it makes.
    pub(crate) output: PathBuf,
    /// Those of [`TRACKING`] that the project builds.
    pub(crate) tracking: Vec<&'static str>,
    /// `[workspace.metadata.leakcheck]`, and the manifest that has it.
    pub(crate) settings: serde_json::Value,
    pub(crate) manifest: PathBuf,
    /// The packages of the workspace and their ids.
    pub(crate) members: Vec<(cargo_metadata::PackageId, String)>,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn find(select: &SelectArgs) -> Result<Self> {
        let mut command = MetadataCommand::new();
        if let Some(manifest) = &select.manifest_path {
            command.manifest_path(manifest);
        }
        command.features(CargoOpt::AllFeatures);
        let switches = [
            ("--locked", select.locked),
            ("--offline", select.offline),
            ("--frozen", select.frozen),
        ];
        let switches = switches.iter().filter(|(_, on)| *on).map(|(name, _)| (*name).to_owned());
        command.other_options(switches.collect::<Vec<_>>());
        let metadata = command.exec().map_err(|error| match error {
            cargo_metadata::Error::CargoMetadata { stderr } => {
                Error::unusable(format!("cargo cannot tell of the project: {}", stderr.trim_end()))
            }
            other => Error::unusable(format!("cargo cannot tell of the project: {other}")),
        })?;
        let root = metadata.workspace_root.clone().into_std_path_buf();
        let target = match &select.target_dir {
            Some(target) => target.clone(),
            None => metadata.target_directory.clone().into_std_path_buf(),
        };
        let builds = |name: &&str| metadata.packages.iter().any(|package| *package.name == **name);
        let members = metadata.workspace_packages().into_iter();
        Ok(Self {
            manifest: root.join("Cargo.toml"),
            output: target.join("leakcheck"),
            tracking: TRACKING.into_iter().filter(|name| builds(name)).collect(),
            members: members.map(|member| (member.id.clone(), member.name.to_string())).collect(),
            settings: metadata
                .workspace_metadata
                .get("leakcheck")
                .or_else(|| metadata.root_package()?.metadata.get("leakcheck"))
                .cloned()
                .unwrap_or_default(),
            root,
        })
    }

    /// The project around, or just the directory where there is none: results can be joined anywhere.
    pub(crate) fn find_or_here() -> Self {
        Self::find(&SelectArgs::default()).unwrap_or_else(|_| Self {
            root: PathBuf::from("."),
            output: PathBuf::from("leakcheck"),
            tracking: Vec::new(),
            settings: serde_json::Value::Null,
            manifest: PathBuf::new(),
            members: Vec::new(),
        })
    }

    /// The name of a package by its id.
    pub(crate) fn package(&self, id: &cargo_metadata::PackageId) -> Option<&str> {
        self.members.iter().find(|(known, _)| known == id).map(|(_, name)| name.as_str())
    }

    /// A file of the project, by the path that a report has.
    pub(crate) fn source(&self, file: &str) -> Option<PathBuf> {
        let path = Path::new(file);
        let inside = !path.is_absolute() && path.iter().all(|part| part != "..");
        inside.then(|| self.root.join(path)).filter(|path| path.is_file())
    }
}
