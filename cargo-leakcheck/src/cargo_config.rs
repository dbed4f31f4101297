//! cargo's configuration, as far as it decides how tests are run: the files of the hierarchy and
//! `--config`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

use cargo_platform::{Cfg, CfgExpr};
use toml::{Table, Value};

use crate::error::{Error, Result};

/// The configuration that cargo finds in a directory and its ancestors.
#[derive(Debug, Default)]
pub(crate) struct CargoConfig {
    /// The values of `--config`, the last one first.
    command_line: Vec<ConfigSource>,
    /// The files, the nearest one first.
    files: Vec<ConfigSource>,
}

/// A file or argument that configures cargo.
#[derive(Debug)]
pub(crate) struct ConfigSource {
    /// The path, if it is a file.
    pub(crate) path: Option<PathBuf>,
    pub(crate) table: Table,
    /// The directory that relative paths start from.
    pub(crate) base: PathBuf,
}

/// A target runner that the user has configured.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UserRunner {
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
}

impl CargoConfig {
    /// Reads the files, and the arguments of `--config`.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or is not TOML.
    pub(crate) fn read(directory: &Path, arguments: &[String]) -> Result<Self> {
        let mut command_line = Vec::new();
        for argument in arguments.iter().rev() {
            // cargo takes `KEY=VALUE`, or the path of a file.
            command_line.push(match argument.parse::<Table>() {
                Ok(table) => ConfigSource { path: None, table, base: directory.to_owned() },
                Err(_) => ConfigSource::file(&directory.join(argument))?,
            });
        }
        let files =
            files(directory).iter().map(|path| ConfigSource::file(path)).collect::<Result<_>>()?;
        Ok(Self { command_line, files })
    }

    /// The files, the nearest one first.
    pub(crate) fn files(&self) -> &[ConfigSource] {
        &self.files
    }

    /// All sources, the one with the highest precedence first.
    fn sources(&self) -> impl Iterator<Item = &ConfigSource> {
        self.command_line.iter().chain(&self.files)
    }

    /// The target triples that tests may be built for, the one of this machine first.
    pub(crate) fn triples(&self, asked_for: &[String]) -> Result<Vec<String>> {
        let mut triples = vec![host()?];
        let configured =
            || self.sources().find_map(|source| get(&source.table, &["build", "target"]));
        let more = match asked_for {
            [] => match env::var("CARGO_BUILD_TARGET") {
                Ok(target) => vec![target],
                Err(_) => configured().map(strings).unwrap_or_default(),
            },
            asked_for => asked_for.to_vec(),
        };
        for target in more {
            // A target that is described in a file is named after the file.
            let stem = Path::new(&target).file_stem().filter(|_| target.ends_with(".json"));
            let triple = stem.map_or(target.clone(), |stem| stem.to_string_lossy().into_owned());
            if triple != "host-tuple" && !triples.contains(&triple) {
                triples.push(triple);
            }
        }
        Ok(triples)
    }

    /// The target runner that cargo would use: `--config` over the environment over files, and
    /// `target.<triple>` over `target.'cfg(…)'`.
    pub(crate) fn runner(&self, triple: &str) -> Result<Option<UserRunner>> {
        let of_triple = |sources: &[ConfigSource]| {
            let keys = ["target", triple, "runner"];
            sources.iter().find_map(|source| source.runner(get(&source.table, &keys)?))
        };
        let of_environment = || {
            let value = env::var(variable(triple)).ok()?;
            ConfigSource::here().runner(&Value::String(value))
        };
        let found = of_triple(&self.command_line)
            .or_else(of_environment)
            .or_else(|| of_triple(&self.files));
        match found {
            Some(runner) => Ok(Some(runner)),
            None => self.runner_by_cfg(triple),
        }
    }

    fn runner_by_cfg(&self, triple: &str) -> Result<Option<UserRunner>> {
        let mut cfgs = None;
        for source in self.sources() {
            let Some(Value::Table(targets)) = source.table.get("target") else { continue };
            for (key, table) in targets {
                let expression = key.strip_prefix("cfg(").and_then(|rest| rest.strip_suffix(')'));
                let expression = expression.and_then(|text| CfgExpr::from_str(text).ok());
                let (Some(expression), Some(runner)) = (expression, table.get("runner")) else {
                    continue;
                };
                let cfgs = match &cfgs {
                    Some(cfgs) => cfgs,
                    None => cfgs.insert(cfgs_of(triple)?),
                };
                if expression.matches(cfgs) {
                    return Ok(source.runner(runner));
                }
            }
        }
        Ok(None)
    }

    /// The runner of a target in `--config`, which no variable overrides.
    pub(crate) fn runner_of_command_line(&self, triple: &str) -> Option<&Value> {
        let keys = ["target", triple, "runner"];
        self.command_line.iter().find_map(|source| get(&source.table, &keys))
    }
}

/// The environment variable that sets the runner of a target.
pub(crate) fn variable(triple: &str) -> String {
    format!("CARGO_TARGET_{}_RUNNER", triple.replace('-', "_").to_uppercase())
}

impl ConfigSource {
    fn file(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| Error::file("read", path, error))?;
        let table = text.parse().map_err(|error| Error::file("read", path, error))?;
        // Relative to the directory that contains `.cargo`.
        let base = path.parent().and_then(Path::parent).unwrap_or(Path::new("")).to_owned();
        Ok(Self { path: Some(path.to_owned()), table, base })
    }

    /// A source outside of files.
    fn here() -> Self {
        let base = env::current_dir().unwrap_or_default();
        Self { path: None, table: Table::new(), base }
    }

    /// Splits a string at spaces, as cargo does. A program with a slash is a path relative to the
    /// configuration; one without is looked up in `PATH`.
    fn runner(&self, value: &Value) -> Option<UserRunner> {
        let mut command = strings(value);
        let first = command.first_mut()?;
        if first.contains('/') || first.contains(std::path::MAIN_SEPARATOR) {
            *first = self.base.join(&*first).to_string_lossy().into_owned();
        }
        Some(UserRunner { command })
    }
}

fn get<'a>(table: &'a Table, keys: &[&str]) -> Option<&'a Value> {
    let (last, keys) = keys.split_last()?;
    let table = keys.iter().try_fold(table, |table, key| table.get(*key)?.as_table())?;
    table.get(*last)
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => text.split_whitespace().map(str::to_owned).collect(),
        Value::Array(list) => list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

/// Where cargo looks for its configuration, the nearest file first.
fn files(directory: &Path) -> Vec<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let folders = directory.ancestors().map(|directory| directory.join(".cargo")).chain(home);
    let mut found: Vec<PathBuf> = Vec::new();
    for folder in folders {
        // The name without an extension is older and wins if both exist.
        let named = ["config", "config.toml"].map(|name| folder.join(name));
        let file = named.into_iter().find(|path| path.is_file());
        found.extend(file.filter(|file| !found.contains(file)));
    }
    found
}

fn host() -> Result<String> {
    let lines = rustc(&["--print", "host-tuple"])?;
    Ok(lines.trim().to_owned())
}

fn cfgs_of(triple: &str) -> Result<Vec<Cfg>> {
    let lines = rustc(&["--print", "cfg", "--target", triple])?;
    Ok(lines.lines().filter_map(|line| Cfg::from_str(line).ok()).collect())
}

fn rustc(arguments: &[&str]) -> Result<String> {
    let program = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(&program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| {
        Error::unusable(format!("`{}` cannot be run: {error}", program.display()))
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let arguments = arguments.join(" ");
        return Err(Error::unusable(format!("`rustc {arguments}` failed: {}", said.trim_end())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIPLE: &str = "x86_64-unknown-linux-gnu";

    fn config(command_line: &[&str], files: &[&str]) -> CargoConfig {
        let source = |text: &&str| ConfigSource {
            path: None,
            table: text.parse().unwrap(),
            base: "/project".into(),
        };
        CargoConfig {
            command_line: command_line.iter().rev().map(source).collect(),
            files: files.iter().map(source).collect(),
        }
    }

    #[track_caller]
    fn check(config: &CargoConfig, expected: &[&str]) {
        let runner = config.runner(TRIPLE).unwrap();
        assert_eq!(runner.map(|runner| runner.command).unwrap_or_default(), expected);
    }

    #[test]
    fn a_runner_is_found_as_cargo_finds_it() {
        let near = format!("target.{TRIPLE}.runner = 'valgrind -q'");
        let far = format!("target.{TRIPLE}.runner = ['bin/far', 'a b']");
        check(&config(&[], &[]), &[]);
        check(&config(&[], &[&near, &far]), &["valgrind", "-q"]);
        check(&config(&[], &[&far]), &["/project/bin/far", "a b"]);
        check(&config(&[&far, &near], &[&far]), &["valgrind", "-q"]);
    }

    #[test]
    fn a_runner_of_a_cfg_counts_where_the_triple_has_none() {
        let unix = "target.'cfg(all(unix, not(windows)))'.runner = 'nice'";
        let windows = "target.'cfg(windows)'.runner = 'wine'";
        check(&config(&[], &[windows, unix]), &["nice"]);
        let triple = format!("target.{TRIPLE}.runner = 'env'");
        check(&config(&[], &[unix, &triple]), &["env"]);
    }

    #[test]
    fn the_targets_are_this_machine_and_what_is_asked_for() {
        let of = |config: CargoConfig, asked: &[&str]| {
            let asked: Vec<String> = asked.iter().map(|&triple| triple.to_owned()).collect();
            config.triples(&asked).unwrap().split_off(1)
        };
        assert!(of(config(&[], &[]), &[]).is_empty());
        assert_eq!(of(config(&[], &[]), &["a-b-c", "dir/d-e.json"]), ["a-b-c", "d-e"]);
        assert_eq!(of(config(&[], &["build.target = ['a-b-c']"]), &[]), ["a-b-c"]);
    }
}
