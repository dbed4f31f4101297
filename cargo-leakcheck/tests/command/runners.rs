//! How tests are built and run, and the progress line.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::exit::{CLEAN, USAGE};
use crate::support::project::Project;
use crate::support::shop::shop;
use crate::support::{Folder, Said};

const LIBRARY: &str = "#[cfg(test)]\nleakcheck::check_all!();\n\n#[test]\nfn is_clean() {}\n";

/// A wrapper around cargo that records its arguments, runs these shell lines, and then cargo.
fn cargo(folder: &Folder, lines: &str) -> PathBuf {
    let log = folder.path().join("log");
    let real = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let script =
        format!("#!/bin/sh\necho \"$*\" >> {}\n{lines}\nexec {real} \"$@\"\n", log.display());
    let path = folder.write("cargo", script);
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn leakcheck_is_built_with_optimization_unless_turned_off() {
    let app = Project::app("", LIBRARY);
    let told = |args: &[&str]| {
        let folder = Folder::new();
        let cargo = cargo(&folder, "");
        let output = app.command(args).env("CARGO", cargo).output().unwrap();
        Said::of(output).ends_with(CLEAN);
        let log = folder.read("log");
        let tests = log.lines().filter(|line| line.starts_with("test "));
        let tests: Vec<String> = tests.map(str::to_owned).collect();
        assert_eq!(tests.len(), 2, "built and run with the same flags: {log}");
        tests
    };
    for line in told(&[]) {
        for krate in ["leakcheck-ledger", "leakcheck-unwind", "addr2line", "gimli"] {
            let flag = format!("--config profile.dev.package.{krate}.opt-level=3");
            assert!(line.contains(&flag), "{line}");
        }
    }
    for line in told(&["--no-optimize"]) {
        assert!(!line.contains("opt-level"), "{line}");
    }
    for line in told(&["--lib", "--features", ""]) {
        assert!(line.contains("--lib"), "cargo's own flags are passed on: {line}");
    }
}

#[test]
fn nextest_runs_if_it_is_configured_and_installed() {
    let app = Project::app("", LIBRARY);
    let runner = |args: &[&str]| {
        app.run(&[args, &["--report", "run.json"]].concat()).ends_with(CLEAN);
        let run: Value = serde_json::from_str(&app.folder().read("run.json")).unwrap();
        run["meta"]["runner"].as_str().unwrap().to_owned()
    };
    assert_eq!(runner(&[]), "cargo test");
    app.folder().write(".config/nextest.toml", "[profile.default]\n");
    assert_eq!(runner(&[]), "cargo nextest");
    assert_eq!(runner(&["--runner", "cargo"]), "cargo test");
    let without = |args: &[&str]| {
        let folder = Folder::new();
        let cargo = cargo(&folder, "[ \"$1\" = nextest ] && exit 101");
        Said::of(app.command(args).env("CARGO", cargo).output().unwrap())
    };
    without(&[]).ends_with(CLEAN);
    let said = without(&["--runner", "nextest"]).ends_with(USAGE);
    assert!(said.stderr.contains("cargo install cargo-nextest"), "{}", said.stderr);
}

#[test]
fn progress_is_shown_only_on_a_terminal() {
    let is_shown = |text: &str| text.contains("/6] tests::");
    let args = ["-p", "cart", "--lib", "--runner", "cargo"];
    let command = shop().command(&args);
    let said = Said::of(shop().command(&args).output().unwrap()).ends_with(CLEAN);
    assert!(!is_shown(&said.stderr) && !is_shown(&said.stdout), "{}", said.stderr);
    // `script` provides a terminal.
    let program = Path::new(command.get_program()).display();
    let line = format!("{program} leakcheck {}", args.join(" "));
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    let Ok(output) = script.current_dir(shop().path()).output() else {
        assert!(std::env::var_os("CI").is_none(), "CI has to install `script` (util-linux)");
        return eprintln!("skipped: `script` is not installed, so there was no terminal");
    };
    let said = Said::of(output).ends_with(CLEAN);
    assert!(is_shown(&said.stdout), "{}", said.stdout);
    let after = said.stdout.rsplit("\u{1b}[2K").next().unwrap();
    assert!(after.trim_start().starts_with("test "), "the table takes its place: {}", said.stdout);
}
