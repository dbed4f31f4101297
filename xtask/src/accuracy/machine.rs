//! Describes the machine that the figures were measured on.

use super::programs::CRATES;
use std::process::Command;

/// One line on the machine and the number of runs.
pub(super) fn line(runs: u32) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let rust = version(Command::new("rustc").arg("-V"));
    let nightly = version(Command::new("rustup").args(["run", "nightly", "rustc", "-V"]));
    let crates = CRATES.map(|(name, version)| format!("{name} {version}")).join(", ");
    format!(
        "{runs} runs each; {arch} {os}, {cores} cores{}; Rust {rust}; LeakSanitizer of \
         Rust {nightly}, {crates}; debug builds.",
        load().map_or(String::new(), |load| format!(", load {load} at the end")),
    )
}

fn version(rustc: &mut Command) -> String {
    let said = rustc.output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    said.ok().and_then(|said| said.split_whitespace().nth(1).map(str::to_owned)).unwrap_or_default()
}

fn load() -> Option<String> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split(' ').next().map(str::to_owned)
}
