//! Describes the machine that the figures were measured on.

use std::process::Command;

use crate::cargo::output;

/// One line on the machine and the number of rounds.
pub(crate) fn line(rounds: usize) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let rust = output(Command::new("rustc").arg("--version")).unwrap_or_default();
    let rust = rust.split_whitespace().nth(1).unwrap_or("?").to_owned();
    let rounds = if rounds == 1 { "one round".to_owned() } else { format!("{rounds} rounds") };
    let load = load().map_or(String::new(), |load| format!(", load {load} at the end"));
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    format!("{rounds}; {arch} {os}, {cores} cores, Rust {rust}{load}.")
}

/// The load average of the last minute. The benchmark itself contributes one per thread.
fn load() -> Option<String> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split(' ').next().map(str::to_owned)
}
