//! `cargo xtask versions`: builds the published crates with the oldest versions that their manifests
//! allow, and in a project whose lock file has old versions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Outcome, root};

const OLD_MANIFEST: &str = include_str!("versions/old/Cargo.toml");
const OLD_LOCK: &str = include_str!("versions/old/Cargo.lock");

/// Versions in the old lock file that must stay when leakcheck is added. leakcheck can build with them,
/// so that adding it changes nothing for the rest of the project.
const KEPT: [(&str, &str); 3] =
    [("backtrace", "0.3.74"), ("proc-macro2", "1.0.95"), ("quote", "1.0.40")];

pub(crate) fn run() -> Outcome {
    let lock = with_old_lock()?;
    let is_changed = |(name, version): &&(&str, &str)| !has(&lock, name, version);
    let changed: Vec<_> = KEPT.iter().filter(is_changed).collect();
    for (name, version) in &changed {
        eprintln!("adding leakcheck to a project updated `{name}`, which was locked to {version}");
    }
    user_with_minimal_versions()?;
    workspace_with_minimal_versions()?;
    Ok(changed.is_empty())
}

/// Adds leakcheck to a project with an old lock file, builds it, and returns the lock file.
fn with_old_lock() -> Result<String, String> {
    println!("== leakcheck in a project with an old lock file");
    let project = fresh("old")?;
    write(&project.join("Cargo.toml"), &format!("{OLD_MANIFEST}{}", dependency()))?;
    write(&project.join("Cargo.lock"), OLD_LOCK)?;
    write(&project.join("src/lib.rs"), "")?;
    cargo(&project, &["check"], "")?;
    read(&project.join("Cargo.lock"))
}

/// Builds a project that has only leakcheck, with the minimal version of every crate: on this
/// platform, and without the dynamic linker, which selects other dependencies.
fn user_with_minimal_versions() -> Result<(), String> {
    println!("== leakcheck with minimal versions");
    let project = fresh("minimal")?;
    let manifest =
        "[package]\nname = \"minimal\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n";
    write(&project.join("Cargo.toml"), &format!("{manifest}{}", dependency()))?;
    write(&project.join("src/lib.rs"), "")?;
    cargo(&project, &["update", "-Zminimal-versions"], "")?;
    cargo(&project, &["check", "--locked"], "")?;
    println!("== leakcheck with minimal versions, statically linked");
    let target = host()?;
    let check = ["check", "--locked", "--target", &target];
    cargo(&project, &check, "-C target-feature=+crt-static")
}

/// Builds all published crates with the minimal version of every crate. They are copied without
/// their dev-dependencies, which would take part in the choice of versions.
fn workspace_with_minimal_versions() -> Result<(), String> {
    println!("== all published crates with minimal versions");
    let copy = fresh("workspace")?;
    let manifest = read(&root().join("Cargo.toml"))?;
    let published = published(&manifest)?;
    for member in &published {
        copy_sources(&root().join(member), &copy.join(member))?;
        let path = copy.join(member).join("Cargo.toml");
        write(&path, &without_dev_dependencies(&read(&path)?))?;
    }
    write(&copy.join("Cargo.toml"), &with_members(&manifest, &published))?;
    cargo(&copy, &["update", "-Zminimal-versions"], "")?;
    cargo(&copy, &["check", "--workspace", "--locked"], "")
}

/// The members of the workspace that are published.
fn published(manifest: &str) -> Result<Vec<String>, String> {
    let mut published = Vec::new();
    let members: Result<Vec<_>, String> = members(manifest).map(expanded).collect();
    for member in members?.concat() {
        let manifest = read(&root().join(&member).join("Cargo.toml"))?;
        if !manifest.contains("publish = false") {
            published.push(member);
        }
    }
    Ok(published)
}

/// The folders that a member stands for: `crates/*` is every folder in `crates`.
fn expanded(member: &str) -> Result<Vec<String>, String> {
    let Some(around) = member.strip_suffix("/*") else { return Ok(vec![member.to_owned()]) };
    let folder = root().join(around);
    let entries = fs::read_dir(&folder).map_err(|error| on(&folder, &error))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| on(&folder, &error))?.path();
        if let Some(name) = path.file_name().filter(|_| path.join("Cargo.toml").is_file()) {
            found.push(format!("{around}/{}", name.to_string_lossy()));
        }
    }
    found.sort();
    Ok(found)
}

fn members(manifest: &str) -> impl Iterator<Item = &str> {
    let list = manifest.split("\nmembers = [").nth(1).and_then(|list| list.split(']').next());
    list.unwrap_or_default().split('"').skip(1).step_by(2)
}

/// The workspace's manifest, with these members alone.
fn with_members(manifest: &str, members: &[String]) -> String {
    let (before, rest) = manifest.split_once("\nmembers = [").unwrap_or((manifest, ""));
    let (_, rest) = rest.split_once(']').unwrap_or_default();
    let after: Vec<&str> = rest.lines().filter(|line| !line.starts_with("exclude =")).collect();
    format!("{before}\nmembers = {members:?}{}\n", after.join("\n"))
}

fn without_dev_dependencies(manifest: &str) -> String {
    let mut is_dev = false;
    let mut kept = String::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_dev = line.contains("dev-dependencies");
        }
        if !is_dev {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// Whether a lock file has this version of a crate.
fn has(lock: &str, name: &str, version: &str) -> bool {
    lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"\n"))
}

fn dependency() -> String {
    format!("leakcheck = {{ path = {:?} }}\n", root().join("leakcheck"))
}

/// The target that rustc builds for by default.
fn host() -> Result<String, String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .map_err(|error| format!("cannot run `rustc -vV`: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "`rustc -vV` names no host".to_owned())
}

fn cargo(folder: &Path, args: &[&str], flags: &str) -> Result<(), String> {
    let command = format!("cargo {}", args.join(" "));
    let status = Command::new("cargo")
        .args(args)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", scratch().join("target"))
        // `-Z` works on a stable toolchain too then.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", flags)
        .status()
        .map_err(|error| format!("cannot run `{command}`: {error}"))?;
    let failed = || format!("`{command}` failed in `{}`", folder.display());
    status.success().then_some(()).ok_or_else(failed)
}

fn scratch() -> PathBuf {
    root().join("target/xtask/versions")
}

/// An empty folder.
fn fresh(name: &str) -> Result<PathBuf, String> {
    let folder = scratch().join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| on(&folder, &error))?;
    }
    fs::create_dir_all(&folder).map_err(|error| on(&folder, &error))?;
    Ok(folder)
}

/// Copies a crate without its tests.
fn copy_sources(from: &Path, to: &Path) -> Result<(), String> {
    fs::create_dir_all(to).map_err(|error| on(to, &error))?;
    for entry in fs::read_dir(from).map_err(|error| on(from, &error))? {
        let name = entry.map_err(|error| on(from, &error))?.file_name();
        let (from, to) = (from.join(&name), to.join(&name));
        if from.is_dir() {
            let is_source = name != "tests" || from.ends_with("src/tests");
            if is_source && name != "target" {
                copy_sources(&from, &to)?;
            }
        } else {
            fs::copy(&from, &to).map_err(|error| on(&from, &error))?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| on(path, &error))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(|error| on(folder, &error))?;
    fs::write(path, text).map_err(|error| on(path, &error))
}

fn on(path: &Path, error: &std::io::Error) -> String {
    format!("`{}`: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_lock_file_has_the_versions_that_must_stay() {
        for (name, version) in KEPT {
            assert!(has(OLD_LOCK, name, version), "{name} {version}");
        }
    }

    #[test]
    fn members_are_read_from_one_line_or_several() {
        let lines = "[workspace]\nmembers = [\n    \"a\",\n    \"crates/b\",\n]\n";
        assert_eq!(members(lines).collect::<Vec<_>>(), ["a", "crates/b"]);
        let line = "[workspace]\nmembers = [\"a\", \"crates/b\"]\nexclude = [\"c\"]\n";
        assert_eq!(members(line).collect::<Vec<_>>(), ["a", "crates/b"]);
    }

    #[test]
    fn a_pattern_of_members_is_every_crate_in_its_folder() {
        let found = expanded("crates/*").unwrap();
        assert!(found.contains(&"crates/ledger".to_owned()), "{found:?}");
        assert_eq!(expanded("leakcheck").unwrap(), ["leakcheck"]);
    }

    #[test]
    fn a_copy_of_the_workspace_has_the_published_members_alone() {
        let manifest = "[workspace]\nmembers = [\n  \"a\",\n  \"b\"]\nexclude = [\"c\"]\n[x]\n";
        let copy = with_members(manifest, &["a".to_owned()]);
        assert_eq!(copy, "[workspace]\nmembers = [\"a\"]\n[x]\n");
    }

    #[test]
    fn dev_dependencies_are_removed_from_a_manifest() {
        let manifest = "[dependencies]\na = \"1\"\n\n[target.'cfg(unix)'.dev-dependencies]\nb = \"1\"\n\n[lints]\nworkspace = true\n";
        let kept = "[dependencies]\na = \"1\"\n\n[lints]\nworkspace = true\n";
        assert_eq!(without_dev_dependencies(manifest), kept);
    }
}
