//! Test programs of the packages in `tests/fixtures`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::Value;

use crate::Run;

/// A test program of a fixture, built with some of its features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fixture {
    package: &'static str,
    target: &'static str,
    features: Option<&'static str>,
    /// Whether these are the unit tests of the library.
    unit: bool,
}

impl Fixture {
    /// The test `target` of `package`, with its default features.
    pub const fn new(package: &'static str, target: &'static str) -> Self {
        Self { package, target, features: None, unit: false }
    }

    /// The unit tests of a package's library.
    pub const fn unit_tests(package: &'static str) -> Self {
        Self { unit: true, ..Self::new(package, package) }
    }

    /// Replaces the default features with these, separated by commas.
    pub const fn with_features(self, features: &'static str) -> Self {
        Self { features: Some(features), ..self }
    }

    /// A run of all its tests, which can be narrowed down.
    pub fn run(self) -> Run {
        Run::new(self)
    }

    /// The package's directory, where cargo would run the program.
    pub(crate) fn directory(self) -> PathBuf {
        fixtures().join(self.package)
    }

    /// The path of the program, which is built on the first call in a process.
    pub fn program(self) -> PathBuf {
        type Programs = HashMap<Fixture, Arc<OnceLock<PathBuf>>>;
        static PROGRAMS: Mutex<Option<Programs>> = Mutex::new(None);
        let mut programs = PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner);
        let program = Arc::clone(programs.get_or_insert_default().entry(self).or_default());
        // Others need not wait for this build.
        drop(programs);
        program.get_or_init(|| self.build()).clone()
    }

    fn build(self) -> PathBuf {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(["test", "--no-run", "--message-format=json-render-diagnostics"])
            .args(["-p", self.package])
            .current_dir(fixtures())
            .env("CARGO_TARGET_DIR", target())
            // As in the builds of users, whatever is set for these tests: it changes the names of
            // code generation units.
            .env("CARGO_INCREMENTAL", "1");
        if self.unit {
            cargo.arg("--lib");
        } else {
            cargo.args(["--test", self.target]);
        }
        if let Some(features) = self.features {
            cargo.args(["--no-default-features", "--features", features]);
        }
        forget(
            &mut cargo,
            &["LEAK_", "NEXTEST", "CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_TARGET_TMPDIR"],
        );
        let output = cargo.output().expect("cargo can be run");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{self:?} does not build:\n{errors}");
        let messages = String::from_utf8_lossy(&output.stdout);
        let built = messages.lines().find_map(|line| self.executable(line));
        built.expect("cargo says what it has built")
    }

    /// The program, if a line of cargo's JSON names it.
    fn executable(self, line: &str) -> Option<PathBuf> {
        let message: Value = serde_json::from_str(line).ok()?;
        let kind = if self.unit { "lib" } else { "test" };
        let is_it =
            message["target"]["name"] == self.target && message["target"]["kind"][0] == kind;
        message["executable"].as_str().filter(|_| is_it).map(PathBuf::from)
    }
}

/// Removes variables with these prefixes from the environment of a command.
pub(crate) fn forget(command: &mut Command, prefixes: &[&str]) {
    for (name, _) in std::env::vars_os() {
        if prefixes.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
}

/// The workspace of the fixtures.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Where the fixtures are built: inside the target directory of this program, which a file marks.
pub(crate) fn target() -> PathBuf {
    let program = std::env::current_exe().expect("the program knows its path");
    // The first is missing if the directory is older than the build.
    let marks = ["CACHEDIR.TAG", ".rustc_info.json"];
    let is_marked = |directory: &&Path| marks.iter().any(|mark| directory.join(mark).is_file());
    let marked = program.ancestors().skip(1).find(is_marked);
    marked.expect("the program lies in a target directory").join("fixtures")
}
