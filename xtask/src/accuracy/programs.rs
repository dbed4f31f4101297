//! The programs of one variant: its tests, and a program for each rival.

use super::tool::Tool;
use crate::corpus::cases::{Case, Variant};
use crate::corpus::{cargo_test, package, set_up, target};
use crate::root;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The programs of one variant.
pub(super) struct Programs {
    repeated: PathBuf,
    /// The target directory.
    rivals: PathBuf,
    /// `None` without a nightly toolchain.
    lsan: Option<PathBuf>,
    /// The prefix of their names.
    name: String,
    has_dhat: bool,
}

/// The rivals that are crates, with their versions.
pub(super) const CRATES: [(&str, &str); 3] =
    [("dhat", "0.3.3"), ("mockalloc", "0.1.2"), ("stats_alloc", "0.1.10")];
/// dhat requires a newer smallvec than this case has.
const WITHOUT_DHAT: &str = "smallvec-insert-many-panic";

impl Programs {
    pub(super) fn build(case: &Case, variant: Variant) -> Result<Self, String> {
        let name = format!("{}-{}", case.name, variant.name());
        let folder = target().join("rivals").join(&name);
        write_package(&folder, &name, case, variant)?;
        Ok(Self {
            repeated: build_repeated(case, variant)?,
            rivals: build_rivals(&folder)?,
            lsan: build_lsan(&folder, &name)?,
            has_dhat: has_dhat(case),
            name,
        })
    }

    pub(super) fn of(&self, tool: Tool) -> Option<PathBuf> {
        let rival = |rival: &str| self.rivals.join(format!("{}-{rival}", self.name));
        Some(match tool {
            Tool::Alone | Tool::BesideOthers | Tool::Copies => self.repeated.clone(),
            Tool::Lsan => self.lsan.clone()?,
            Tool::Dhat | Tool::DhatRepeated => self.has_dhat.then(|| rival("dhat"))?,
            Tool::Mockalloc => rival("mockalloc"),
            Tool::StatsAlloc | Tool::StatsAllocMebibyte => rival("stats_alloc"),
        })
    }
}

/// Creates a package whose programs call the trigger, with the same locked versions as the package of the
/// case.
fn write_package(folder: &Path, name: &str, case: &Case, variant: Variant) -> Result<(), String> {
    let cannot = |error| format!("cannot write `{}`: {error}", folder.display());
    fs::create_dir_all(folder).map_err(cannot)?;
    let package = package(case, variant);
    let lock = folder.join("Cargo.lock");
    if !lock.exists() {
        fs::copy(package.join("Cargo.lock"), lock).map_err(cannot)?;
    }
    let crates: Vec<_> =
        CRATES.into_iter().filter(|(rival, _)| *rival != "dhat" || has_dhat(case)).collect();
    let manifest = manifest(name, &package, &crates);
    fs::write(folder.join("Cargo.toml"), manifest).map_err(cannot)
}

fn has_dhat(case: &Case) -> bool {
    case.name != WITHOUT_DHAT
}

fn manifest(name: &str, package: &Path, crates: &[(&str, &str)]) -> String {
    let (package, sources) = (package.display(), root().join("tests/corpus/rivals"));
    let program = |rival: &str| {
        let source = sources.join(rival).with_extension("rs");
        format!("[[bin]]\nname = \"{name}-{rival}\"\npath = \"{}\"\n", source.display())
    };
    let features: Vec<String> = crates.iter().map(|(it, _)| format!("\"dep:{it}\"")).collect();
    let mut text = format!(
        "[package]\nname = \"rivals-{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [workspace]\n\n[features]\nrivals = [{}]\n\n{}\n",
        features.join(", "),
        program("lsan"),
    );
    for (rival, _) in crates {
        text += &format!("{}required-features = [\"rivals\"]\n\n", program(rival));
    }
    text +=
        &format!("[dependencies]\ncase = {{ path = \"{package}\", package = \"lc-{name}\" }}\n");
    for (rival, version) in crates {
        text += &format!("{rival} = {{ version = \"={version}\", optional = true }}\n");
    }
    text
}

/// The path of the test program, from cargo's output.
fn build_repeated(case: &Case, variant: Variant) -> Result<PathBuf, String> {
    let mut cargo = cargo_test(case, variant);
    let said = run(cargo.args(["--test", "repeated", "--no-run"]))?;
    executable(&said).ok_or_else(|| format!("cargo does not say what it built:\n{said}"))
}

/// The last path in parentheses of cargo's `Executable ../../repeated.rs (…/repeated-0123)`.
pub(super) fn executable(said: &str) -> Option<PathBuf> {
    let line = said.lines().find(|line| line.trim_start().starts_with("Executable "))?;
    let (_, path) = line.rsplit_once('(')?;
    Some(PathBuf::from(path.strip_suffix(')')?))
}

fn build_rivals(folder: &Path) -> Result<PathBuf, String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "-j2", "--bins", "--features", "rivals"]).current_dir(folder);
    set_up(&mut cargo);
    run(&mut cargo)?;
    Ok(target().join("debug"))
}

fn build_lsan(folder: &Path, name: &str) -> Result<Option<PathBuf>, String> {
    let has_nightly = run(Command::new("rustup").args(["run", "nightly", "rustc", "-V"])).is_ok();
    let host = "x86_64-unknown-linux-gnu";
    if !has_nightly || !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        return Ok(None);
    }
    let mut cargo = Command::new("rustup");
    cargo.args(["run", "nightly", "cargo", "build", "-j2", "--target", host, "--bin"]);
    cargo.arg(format!("{name}-lsan")).current_dir(folder);
    set_up(&mut cargo);
    run(cargo.env("RUSTFLAGS", "-Zsanitizer=leak --cap-lints=allow"))?;
    Ok(Some(target().join(host).join("debug").join(format!("{name}-lsan"))))
}

/// The stderr of a command.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(said) } else { Err(format!("{command:?} failed:\n{said}")) }
}
