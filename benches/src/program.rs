//! A rival's program: built, and run.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::cargo::{cargo, clean, finish, nightly_cargo, output, root, work};
use crate::profile::{Profile, optimise};
use crate::rival::{Build, Rival};
use crate::task::Task;

/// A rival, built in a profile.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) rival: Rival,
    file: PathBuf,
}

/// What a run printed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Run {
    /// Nanoseconds that an operation took, pass by pass.
    pub(crate) passes: Vec<f64>,
    /// The most memory that was resident, where the system tells.
    pub(crate) peak_kb: Option<u64>,
}

/// Only this target has the sanitizer and is known to work with it here.
const SANITIZED: &str = "x86_64-unknown-linux-gnu";

impl Program {
    /// Builds it. What cannot be had here is no error: the inner one says why.
    pub(crate) fn build(
        rival: &Rival,
        profile: Profile,
    ) -> Result<std::result::Result<Self, String>> {
        if rival.build == Build::LeakSanitizer && !has_leak_sanitizer() {
            return Ok(Err("there is no nightly toolchain with it here".to_owned()));
        }
        eprintln!("building {} ({})", rival.name, profile.name());
        let target = work().join(target_folder(rival.build, profile));
        output(build_command(rival, profile).arg("--target-dir").arg(&target))?;
        let built = match rival.build {
            Build::LeakSanitizer => target.join(SANITIZED),
            Build::Plain | Build::Optimised(_) => target,
        };
        let file = built.join(profile.folder()).join(rival.package);
        let program = Self { rival: *rival, file: keep(&file, rival, profile)? };
        Ok(program.accepts_its_variable().map(|()| program))
    }

    /// Runs it once. `passes` are in one process, one after the other.
    pub(crate) fn run(&self, task: &Task, size: u64, passes: u64) -> Result<Run> {
        Ok(read(&output(&mut self.command(task, size, passes))?))
    }

    /// A value that a version of leakcheck does not know fails its checks.
    fn accepts_its_variable(&self) -> std::result::Result<(), String> {
        let Some((variable, value)) = self.rival.variable else { return Ok(()) };
        let run = finish(&mut self.command(&Task::PROBE, Task::PROBE.size, 1))?;
        if run.status.success() {
            Ok(())
        } else {
            Err(format!("this version does not accept `{variable}={value}`"))
        }
    }

    fn command(&self, task: &Task, size: u64, passes: u64) -> Command {
        let mut command = Command::new(&self.file);
        clean(&mut command);
        command.arg(task.workload).args([size, task.parameter, passes].map(|n| n.to_string()));
        command.envs(self.rival.variable);
        command
    }
}

fn build_command(rival: &Rival, profile: Profile) -> Command {
    let mut command = match rival.build {
        Build::LeakSanitizer => {
            let mut command = nightly_cargo();
            // With a target, cargo leaves build scripts and macros alone.
            command.env("RUSTFLAGS", "-Zsanitizer=leak");
            command.args(["build", "--target", SANITIZED]);
            command
        }
        Build::Plain | Build::Optimised(_) => {
            let mut command = cargo();
            command.arg("build");
            command
        }
    };
    command.arg("--manifest-path").arg(root().join("benches/rivals/Cargo.toml"));
    command.args(["--package", rival.package]).args(profile.arguments());
    if let Build::Optimised(packages) = rival.build {
        command.args(optimise(packages));
    }
    command
}

fn target_folder(build: Build, profile: Profile) -> String {
    let suffix = match build {
        Build::Plain => "",
        Build::Optimised(_) => "-optimised",
        Build::LeakSanitizer => "-sanitized",
    };
    format!("{}{suffix}", profile.name())
}

/// A copy that no later build replaces.
fn keep(file: &Path, rival: &Rival, profile: Profile) -> Result<PathBuf> {
    let folder = work().join("programs");
    let name = format!("{}-{}", rival.package, target_folder(rival.build, profile));
    let kept = folder.join(name);
    let copied = std::fs::create_dir_all(&folder).and_then(|()| std::fs::copy(file, &kept));
    copied.map_err(|error| format!("cannot copy `{}`: {error}", file.display()))?;
    Ok(kept)
}

fn has_leak_sanitizer() -> bool {
    let mut rustc = Command::new("rustup");
    rustc.args(["run", "nightly", "rustc", "--print", "target-libdir", "--target", SANITIZED]);
    rustc.env_remove("RUSTUP_TOOLCHAIN");
    let Ok(folder) = output(&mut rustc) else { return false };
    Path::new(folder.trim()).join("librustc-nightly_rt.lsan.a").exists()
}

fn read(text: &str) -> Run {
    let mut run = Run::default();
    for (key, value) in text.lines().filter_map(|line| line.split_once(' ')) {
        match key {
            "ns" => run.passes.extend(value.parse::<f64>()),
            "peak_kb" => run.peak_kb = value.parse().ok(),
            _ => {}
        }
    }
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_its_passes_and_its_peak() {
        let run = read("ns 97.404\nns 71.5\npeak_kb 2652\n");
        assert_eq!(run, Run { passes: vec![97.404, 71.5], peak_kb: Some(2652) });
    }
}
