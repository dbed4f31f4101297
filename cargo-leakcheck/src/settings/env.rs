//! The environment of the tests: the one of this process, and `[env]` of cargo's configuration.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::source::SettingSource;
use crate::cargo_config::{CargoConfig, ConfigSource};
use crate::error::{Error, Result};
use crate::output::shown;

/// The variables of leakcheck, each with its source.
#[derive(Debug, Default)]
pub(crate) struct Environment(BTreeMap<String, Variable>);

#[derive(Clone, Debug, PartialEq)]
struct Variable {
    value: String,
    source: SettingSource,
}

#[derive(Debug, Default, Deserialize)]
struct Config {
    #[serde(default)]
    env: BTreeMap<String, Entry>,
}

/// A variable in `[env]`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Entry {
    Plain(String),
    Table {
        value: String,
        #[serde(default)]
        force: bool,
        #[serde(default)]
        relative: bool,
    },
    /// Other values that cargo accepts.
    Other(serde::de::IgnoredAny),
}

impl Environment {
    /// The environment of tests that cargo runs from a directory.
    ///
    /// # Errors
    ///
    /// If cargo's configuration cannot be read.
    pub(crate) fn of_tests(directory: &Path) -> Result<Self> {
        let mut found = Self::default();
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str().filter(|name| name.starts_with("LEAK_")) else {
                continue;
            };
            let value = value.to_string_lossy().into_owned();
            let variable = Variable { value, source: SettingSource::Variable(name.to_owned()) };
            found.0.insert(name.to_owned(), variable);
        }
        for source in CargoConfig::read(directory, &[])?.files() {
            found.read(source)?;
        }
        Ok(found)
    }

    /// The value of a variable, and its source.
    pub(super) fn get(&self, name: &str) -> Option<(&str, &SettingSource)> {
        self.0.get(name).map(|variable| (variable.value.as_str(), &variable.source))
    }

    /// Adds the variables of a configuration that are not set yet.
    fn read(&mut self, source: &ConfigSource) -> Result<()> {
        let path = source.path.as_deref().unwrap_or(Path::new(""));
        let config: Config =
            source.table.clone().try_into().map_err(|error| Error::file("read", path, error))?;
        for (name, entry) in config.env.into_iter().filter(|(name, _)| name.starts_with("LEAK_")) {
            let (value, force) = match entry {
                Entry::Plain(value) => (value, false),
                Entry::Table { value, force, relative: false } => (value, force),
                Entry::Table { value, force, relative: true } => {
                    (source.base.join(value).to_string_lossy().into_owned(), force)
                }
                Entry::Other(_) => continue,
            };
            let source = SettingSource::CargoConfig { file: shown(path), variable: name.clone() };
            let known = self.0.get(&name);
            let of_process =
                known.is_some_and(|it| matches!(it.source, SettingSource::Variable(_)));
            if !self.0.contains_key(&name) || (force && of_process) {
                self.0.insert(name, Variable { value, source });
            }
        }
        Ok(())
    }
}
