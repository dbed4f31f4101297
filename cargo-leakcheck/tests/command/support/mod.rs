//! Support for the tests of the command.

pub(crate) mod browser;
pub(crate) mod exit;
pub(crate) mod project;
pub(crate) mod readers;
pub(crate) mod shop;
pub(crate) mod synthetic;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A fresh directory, which is removed on drop.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{number}", std::process::id()));
        // An earlier process with the same id may have been killed.
        _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    #[track_caller]
    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.0.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The command with a clean environment, in a directory.
pub(crate) fn leakcheck(directory: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-leakcheck"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let prefixes =
            ["LEAK_", "NEXTEST", "CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_PROFILE_", "GITHUB_"];
        if prefixes.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
        .arg("leakcheck")
        .args(args)
        .current_dir(directory)
        .env_remove("CARGO_TARGET_TMPDIR")
        .env_remove("CARGO_BUILD_TARGET_DIR")
        .env("CARGO_TARGET_DIR", directory.join("target"))
        .env("RUST_BACKTRACE", "0")
        .env("NO_COLOR", "1");
    command
}

/// The result of a call.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self {
            code: output.status.code().expect("no signal ends the command"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    #[track_caller]
    pub(crate) fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// The line of the table about a test.
    #[track_caller]
    pub(crate) fn row(&self, test: &str) -> &str {
        let row = self.stdout.lines().find(|line| {
            line.split_whitespace()
                .next()
                .is_some_and(|name| name == test || name.ends_with(&format!("::{test}")))
        });
        row.unwrap_or_else(|| panic!("no row for `{test}`:\n{}", self.stdout))
    }
}

/// Calls the command in a directory.
pub(crate) fn run(directory: &Path, args: &[&str]) -> Said {
    Said::of(leakcheck(directory, args).output().unwrap())
}

/// The command, run by a user that permissions apply to, unlike root. `None` if that is impossible;
/// then the test is skipped.
pub(crate) fn without_privileges(command: Command, locked: &Path) -> Option<Command> {
    let probe = locked.join("probe");
    if std::fs::write(&probe, "").is_err() {
        return Some(command);
    }
    std::fs::remove_file(&probe).unwrap();
    let without = |program: &OsStr| {
        let mut command = Command::new("setpriv");
        command.arg("--bounding-set=-dac_override,-dac_read_search").arg(program);
        command
    };
    let tried = without("touch".as_ref()).arg(&probe).stderr(Stdio::null()).status();
    if !tried.is_ok_and(|status| status.code() == Some(1)) {
        eprintln!("skipped: root cannot do without its privileges here, so nothing was forbidden");
        return None;
    }
    let mut powerless = without(command.get_program());
    powerless.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => powerless.env(name, value),
            None => powerless.env_remove(name),
        };
    }
    powerless.current_dir(command.get_current_dir().unwrap());
    Some(powerless)
}
