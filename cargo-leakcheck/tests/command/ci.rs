//! Output for CI systems, and the workflows in the documentation.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::exit::{CLEAN, INCOMPLETE, LEAKS};
use crate::support::shop::shop;
use crate::support::{Folder, Said};

#[test]
fn github_gets_annotations_at_the_lines_that_allocate() {
    let folder = Folder::new();
    let summary = folder.write("summary.md", "before\n");
    let mut command = shop().command(&["-p", "cart", "--lib"]);
    command.env("SHOP", "leak").env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", &summary);
    let said = Said::of(command.output().unwrap()).ends_with(LEAKS);
    let annotation = "::error file=cart/src/lib.rs,line=3,title=tests%3A%3Amay_leak leaks::`tests::may_leak` leaks 3.00 MiB in 1 \
                      block, allocated in `cart::keep`";
    assert!(said.stdout.lines().any(|line| line == annotation), "{}", said.stdout);
    let summary = folder.read("summary.md");
    assert!(summary.starts_with("before\n## leakcheck\n"), "{summary}");
    assert!(summary.contains("| `cart::tests::may_leak` | **leaked** | 3.00 MiB |"), "{summary}");
}

/// The lines of a workflow's step, as the shell of the CI system gets them.
fn script(workflow: &str, step: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ci").join(workflow);
    let text = std::fs::read_to_string(path).unwrap();
    let (_, after) =
        text.split_once(step).unwrap_or_else(|| panic!("`{workflow}` has no `{step}`"));
    let lines = after.lines().skip(1).filter(|line| !line.trim().starts_with("run: |"));
    let is_script = |line: &&str| line.starts_with("          ") || line.starts_with("    - cargo");
    lines
        .take_while(is_script)
        .map(|line| line.trim().trim_start_matches("- ").to_owned() + "\n")
        .collect()
}

/// Runs a script in the shop as a CI system does.
fn ci(script: &str, words: &str, directory: &Path) -> Said {
    let script = script.replace("cargo install --locked cargo-leakcheck\n", "");
    let script = script.replace("--report ", &format!("--report {}/", directory.display()));
    assert!(script.contains("cargo leakcheck"), "{script}");
    let mut command = shop().command(&[]);
    let programs = Path::new(env!("CARGO_BIN_EXE_cargo-leakcheck")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut shell = Command::new("bash");
    shell.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &script]);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.current_dir(command.current_dir(shop().path()).get_current_dir().unwrap());
    shell.env("PATH", format!("{}:{path}", programs.display())).env("SHOP", words);
    shell.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", directory.join("summary.md"));
    Said::of(shell.output().unwrap())
}

#[test]
fn the_workflow_for_github_fails_on_leaks() {
    let folder = Folder::new();
    let script = script("github.yml", "- name: Check for leaks");
    let said = ci(&script, "leak", folder.path()).ends_with(LEAKS);
    assert!(said.stdout.contains("::error file=cart/src/lib.rs,line=3,"), "{}", said.stdout);
    assert!(folder.read("summary.md").contains("cart::tests::may_leak"));
    for file in ["leaks/report.html", "leaks/run.json", "leaks/leaks.sarif"] {
        assert!(!folder.read(file).is_empty(), "{file}");
    }
    let said = ci(&script, "", folder.path()).ends_with(CLEAN);
    assert!(!said.stdout.contains("::error"), "{}", said.stdout);
}

#[test]
fn the_workflow_for_several_machines_merges_them_and_fails_on_leaks() {
    let folder = Folder::new();
    let part = script("github-shards.yml", "- name: Check one part for leaks");
    let join = script("github-shards.yml", "- name: Merge the parts");
    let join = join.replace("merge runs", &format!("merge {}/run", folder.path().display()));
    for shard in ["1", "2"] {
        let part = part.replace("${{ matrix.shard }}", shard);
        ci(&part, "leak", folder.path()).ends_with(CLEAN);
    }
    let said = ci(&join, "", folder.path()).ends_with(INCOMPLETE);
    assert!(said.stdout.contains("shard 3 of 3 is missing"), "{}", said.stdout);
    ci(&part.replace("${{ matrix.shard }}", "3"), "leak", folder.path()).ends_with(CLEAN);
    let said = ci(&join, "", folder.path()).ends_with(LEAKS);
    assert!(said.row("cart::tests::may_leak").contains("leaked"), "{}", said.stdout);
    assert!(folder.read("leaks/report.html").contains("may_leak"));
}

#[test]
fn the_workflow_for_gitlab_fails_on_leaks() {
    let folder = Folder::new();
    let script = script("gitlab.yml", "script:");
    ci(&script, "leak", folder.path()).ends_with(LEAKS);
    let issues: Value =
        serde_json::from_str(&folder.read("leaks/gl-code-quality-report.json")).unwrap();
    assert_eq!(issues[0]["location"]["path"], "cart/src/lib.rs");
    assert!(folder.read("leaks/junit.xml").contains("type=\"leak\""));
    ci(&script, "", folder.path()).ends_with(CLEAN);
}
