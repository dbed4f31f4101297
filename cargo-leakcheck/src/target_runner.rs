//! Makes cargo start each test program through this command, and this command through the target
//! runner that the user has configured.

use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::process::Command;

use toml::Value;

use crate::cargo_config::{CargoConfig, variable};
use crate::error::{Error, Result};
use crate::records;
use crate::setup::{DIRECTORY, Programs, Setup, VERB};

/// Arguments and variables that make cargo use this command as target runner.
#[derive(Debug, Default)]
pub(crate) struct Invocation {
    /// Values for cargo's `--config`.
    pub(crate) config: Vec<String>,
    variables: BTreeMap<String, String>,
}

/// Prepares a run in `directory`. Its tests are built for `targets` with the values of `--config`.
pub(crate) fn install(
    directory: &Path,
    programs: Programs,
    targets: &[String],
    flags: &[String],
) -> Result<Invocation> {
    let here = env::current_dir().map_err(|error| {
        Error::unusable(format!("the working directory cannot be read: {error}"))
    })?;
    let cargo = CargoConfig::read(&here, flags)?;
    let command = env::current_exe().map_err(|error| {
        Error::unusable(format!("the path of this command is unknown: {error}"))
    })?;
    let command = command.to_string_lossy();
    let mut setup = Setup { programs, ..Setup::default() };
    let mut invocation = Invocation { config: flags.to_vec(), ..Invocation::default() };
    for triple in cargo.triples(targets)? {
        if let Some(runner) = cargo.runner(&triple)? {
            setup.runners.insert(triple.clone(), runner.command);
        }
        // A runner in `--config` would override the variable, so it is removed.
        invocation.config.retain(|flag| !sets_only_the_runner(flag, &triple));
        let before = env::var(variable(&triple)).ok();
        setup.variables.insert(variable(&triple), before);
        let words = [&*command, VERB, &triple];
        let rest = CargoConfig::read(&here, &invocation.config)?;
        match rest.runner_of_command_line(&triple) {
            // cargo cannot merge values of different types.
            Some(Value::Array(_)) => invocation.config.push(as_list(&triple, &words)),
            Some(_) => invocation.config.push(as_text(&triple, &divisible(&words)?)),
            None if command.contains(char::is_whitespace) => {
                invocation.config.push(as_list(&triple, &words));
            }
            None => _ = invocation.variables.insert(variable(&triple), words.join(" ")),
        }
    }
    records::make_folder(directory)?;
    setup.write(directory)?;
    invocation.variables.insert(DIRECTORY.to_owned(), directory.to_string_lossy().into_owned());
    Ok(invocation)
}

fn sets_only_the_runner(flag: &str, triple: &str) -> bool {
    let Ok(table) = flag.parse::<toml::Table>() else { return false };
    let mut value = &Value::Table(table);
    for key in ["target", triple, "runner"] {
        match value.as_table().filter(|table| table.len() == 1).and_then(|table| table.get(key)) {
            Some(inner) => value = inner,
            None => return false,
        }
    }
    true
}

/// A string, which cargo splits at spaces.
fn divisible(words: &[&str; 3]) -> Result<String> {
    if words[0].contains(char::is_whitespace) {
        return Err(Error::unusable(format!(
            "a file given to `--config` sets a target runner as a string, and the path of this command has a space: \
             `{}`; write the runner as a list",
            words[0]
        )));
    }
    Ok(words.join(" "))
}

// JSON strings and lists are valid TOML.

fn as_text(triple: &str, command: &str) -> String {
    format!("target.{triple}.runner={}", serde_json::Value::from(command))
}

fn as_list(triple: &str, words: &[&str; 3]) -> String {
    format!("target.{triple}.runner={}", serde_json::Value::from(words.to_vec()))
}

impl Invocation {
    /// Adds the arguments and variables to a call of cargo.
    pub(crate) fn apply(&self, command: &mut Command) {
        for flag in &self.config {
            command.arg("--config").arg(flag);
        }
        command.envs(&self.variables);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_flag_for_the_runner_is_taken_out() {
        let is_alone = |flag: &str| sets_only_the_runner(flag, "a-b-c");
        assert!(
            is_alone("target.a-b-c.runner = 'x'") && is_alone("target.a-b-c.runner=['x', 'y']")
        );
        assert!(!is_alone("target.other.runner = 'x'") && !is_alone("build.jobs = 1"));
        assert!(
            !is_alone("target.a-b-c = { runner = 'x', linker = 'y' }") && !is_alone("file.toml")
        );
    }

    #[test]
    fn a_value_reads_back_as_it_was() {
        let words = ["/a \"b\"/c", VERB, "x"];
        let table: toml::Table = as_list("t", &words).parse().unwrap();
        let read = table["target"]["t"]["runner"].as_array().unwrap();
        assert_eq!(read.iter().filter_map(Value::as_str).collect::<Vec<_>>(), words);
    }
}
