//! The settings of the target runner, which the command writes to the directory of a run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use leakcheck_report::run::Harness;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The first argument that makes this command a target runner, followed by the target triple.
pub(crate) const VERB: &str = "__run-program";

/// The variable that names the directory of the run for the target runner.
pub(crate) const DIRECTORY: &str = "CARGO_LEAKCHECK_RUN";

const FILE: &str = "setup.json";

/// The settings of the target runner.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Setup {
    /// The user's target runners, by target triple.
    pub(crate) runners: BTreeMap<String, Vec<String>>,
    /// The variables that make cargo use this command, and their previous values.
    pub(crate) variables: BTreeMap<String, Option<String>>,
    /// The test programs, by the path of the executable.
    pub(crate) programs: Programs,
}

pub(crate) type Programs = BTreeMap<String, TestProgram>;

/// A test program that cargo has built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TestProgram {
    /// The folder of its reports.
    pub(crate) folder: String,
    pub(crate) harness: Harness,
}

impl Setup {
    /// The user's target runner; empty if there is none.
    pub(crate) fn runner(&self, triple: &str) -> &[String] {
        self.runners.get(triple).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn read(directory: &Path) -> std::result::Result<Self, String> {
        let path = directory.join(FILE);
        let text = fs::read(&path);
        let text = text.map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
        serde_json::from_slice(&text)
            .map_err(|error| format!("`{}` cannot be read: {error}", path.display()))
    }

    pub(crate) fn write(&self, directory: &Path) -> Result<()> {
        let path = directory.join(FILE);
        let json =
            serde_json::to_vec(self).map_err(|error| Error::file("written", &path, error))?;
        crate::output::write(&path, &json)
    }
}
