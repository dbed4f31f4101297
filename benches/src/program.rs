//! Builds and runs the program of a rival.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::cargo::{cargo, clean, finish, nightly_cargo, output, root, work};
use crate::clock::timed_to_the_end;
use crate::profile::{Profile, optimize};
use crate::rival::{Build, Rival};
use crate::task::Task;

/// The program of a rival, built with a profile.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) rival: Rival,
    path: PathBuf,
}

/// The figures of one run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Run {
    /// Nanoseconds per operation, for each pass.
    pub(crate) passes: Vec<f64>,
    /// Peak resident memory, on systems that report it.
    pub(crate) peak_kib: Option<u64>,
}

/// The only target that is tested with the sanitizer here.
const SANITIZED: &str = "x86_64-unknown-linux-gnu";

impl Program {
    /// Builds the program. The inner error is the reason why this machine cannot build or run it.
    pub(crate) fn build(
        rival: &Rival,
        profile: Profile,
    ) -> Result<std::result::Result<Self, String>> {
        if rival.build == Build::LeakSanitizer && !has_leak_sanitizer() {
            return Ok(Err("no nightly toolchain with LeakSanitizer is installed".to_owned()));
        }
        eprintln!("building {} ({})", rival.name, profile.name());
        let target = work().join(target_directory(rival.build, profile));
        output(build_command(rival, profile).arg("--target-dir").arg(&target))?;
        let built = match rival.build {
            Build::LeakSanitizer => target.join(SANITIZED),
            Build::Plain | Build::Optimized(_) => target,
        };
        let path = built.join(profile.folder()).join(rival.package);
        let program = Self { rival: *rival, path: keep(&path, rival, profile)? };
        Ok(program.accepts_its_variable().map(|()| program))
    }

    /// Runs the program once. A single process runs all passes.
    pub(crate) fn run(&self, task: &Task, size: u64, passes: u64) -> Result<Run> {
        Ok(parse(&output(&mut self.command(task, size, passes))?))
    }

    /// Returns the processor time of a whole run in seconds, whatever its exit status: a tool that finds leaks may fail.
    pub(crate) fn time(&self, task: &Task) -> Result<f64> {
        let mut command = self.command(task, task.size, 1);
        // dhat writes its report to the working directory.
        command.current_dir(work());
        Ok(timed_to_the_end(&mut command)?.cpu)
    }

    /// Whether this version of leakcheck accepts the value: otherwise its checks fail.
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
        let mut command = Command::new(&self.path);
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
            // With `--target`, cargo does not apply the flags to build scripts and macros.
            command.env("RUSTFLAGS", "-Zsanitizer=leak");
            command.args(["build", "--target", SANITIZED]);
            command
        }
        Build::Plain | Build::Optimized(_) => {
            let mut command = cargo();
            command.arg("build");
            command
        }
    };
    command.arg("--manifest-path").arg(root().join("benches/rivals/Cargo.toml"));
    command.args(["--package", rival.package]).args(profile.arguments());
    if let Build::Optimized(packages) = rival.build {
        command.args(optimize(packages));
    }
    command
}

fn target_directory(build: Build, profile: Profile) -> String {
    let suffix = match build {
        Build::Plain => "",
        Build::Optimized(_) => "-optimized",
        Build::LeakSanitizer => "-sanitized",
    };
    format!("{}{suffix}", profile.name())
}

/// Copies the program, because later builds overwrite it.
fn keep(path: &Path, rival: &Rival, profile: Profile) -> Result<PathBuf> {
    let folder = work().join("programs");
    let name = format!("{}-{}", rival.package, target_directory(rival.build, profile));
    let kept = folder.join(name);
    let copied = std::fs::create_dir_all(&folder).and_then(|()| std::fs::copy(path, &kept));
    copied.map_err(|error| format!("cannot copy `{}`: {error}", path.display()))?;
    Ok(kept)
}

fn has_leak_sanitizer() -> bool {
    let mut rustc = Command::new("rustup");
    rustc.args(["run", "nightly", "rustc", "--print", "target-libdir", "--target", SANITIZED]);
    rustc.env_remove("RUSTUP_TOOLCHAIN");
    let Ok(folder) = output(&mut rustc) else { return false };
    Path::new(folder.trim()).join("librustc-nightly_rt.lsan.a").exists()
}

fn parse(text: &str) -> Run {
    let mut run = Run::default();
    for (key, value) in text.lines().filter_map(|line| line.split_once(' ')) {
        match key {
            "ns" => run.passes.extend(value.parse::<f64>()),
            "peak_kib" => run.peak_kib = value.parse().ok(),
            _ => {}
        }
    }
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_passes_and_a_peak() {
        let run = parse("ns 97.404\nns 71.5\npeak_kib 2652\n");
        assert_eq!(run, Run { passes: vec![97.404, 71.5], peak_kib: Some(2652) });
    }
}
