//! Temporary projects.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Folder, Said, leakcheck};

/// A project in its own directory. All projects share one target directory.
pub(crate) struct Project(Folder);

const LIBRARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../leakcheck");

impl Project {
    /// Creates a project from files with their paths. `$LEAKCHECK` stands for the path of the library.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = Folder::new();
        for (path, text) in files {
            folder.write(path, text.replace("$LEAKCHECK", LIBRARY));
        }
        // The same versions of all dependencies, without access to a registry.
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
        folder.write("Cargo.lock", std::fs::read(lock).unwrap());
        Self(folder)
    }

    /// A package `app` with this library and additional lines in its manifest.
    pub(crate) fn app(manifest: &str, library: &str) -> Self {
        // In a shared target directory, cargo confuses packages with the same name and version.
        static VERSION: AtomicU32 = AtomicU32::new(1);
        let version = VERSION.fetch_add(1, Ordering::Relaxed);
        let manifest = format!(
            "[package]\nname = \"app\"\nversion = \"0.1.{version}\"\nedition = \"2024\"\n\n[dev-dependencies]\nleakcheck = {{ path \
             = \"$LEAKCHECK\" }}\n\n[workspace]\n{manifest}"
        );
        Self::new(&[("Cargo.toml", &manifest), ("src/lib.rs", library)])
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.0
    }

    /// The command in this project, without arguments.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = leakcheck(self.path(), args);
        command.env("CARGO_TARGET_DIR", target());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        Said::of(self.command(args).output().unwrap())
    }
}

/// The target directory of all projects.
pub(crate) fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("projects")
}
