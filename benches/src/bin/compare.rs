//! Builds the programs in a profile, runs them in turns and prints medians and ratios.
//!
//! `cargo run -p leakcheck-benches -- [dev | dev-opt | release] [rounds]`

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use leakcheck_benches::workload::WORKLOADS;

/// A program of this package and the variable that it runs with.
struct Rival {
    name: &'static str,
    program: &'static str,
    variable: Option<(&'static str, &'static str)>,
}

const RIVALS: [Rival; 4] = [
    Rival { name: "System", program: "system", variable: None },
    Rival { name: "stats_alloc", program: "stats_alloc", variable: None },
    Rival {
        name: "leakcheck, stacks off",
        program: "leakcheck",
        variable: Some(("LEAK_STACKS", "off")),
    },
    Rival { name: "leakcheck", program: "leakcheck", variable: None },
];

/// leakcheck and what it calls: what the README recommends to optimise in the dev profile.
const RECOMMENDED: [&str; 6] =
    ["leakcheck", "backtrace", "gimli", "addr2line", "object", "miniz_oxide"];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let profile = arguments.next().unwrap_or_else(|| "dev".to_owned());
    let rounds = arguments.next().and_then(|rounds| rounds.parse().ok()).unwrap_or(5);
    match build(&profile) {
        Ok(folder) => {
            compare(&folder, &profile, rounds);
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn build(profile: &str) -> Result<PathBuf, String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", "leakcheck-benches", "--bins"]);
    let folder = match profile {
        "dev" => "debug",
        "dev-opt" => {
            for package in RECOMMENDED {
                cargo.arg("--config").arg(format!("profile.dev.package.{package}.opt-level=3"));
            }
            "debug"
        }
        "release" => {
            cargo.arg("--release");
            "release"
        }
        other => {
            return Err(format!("`{other}` is no profile, expected `dev`, `dev-opt` or `release`"));
        }
    };
    let target = std::env::temp_dir().join(format!("leakcheck-benches-{profile}"));
    cargo.arg("--target-dir").arg(&target);
    let built = cargo.status().map_err(|error| format!("cargo does not run: {error}"))?;
    if built.success() {
        Ok(target.join(folder))
    } else {
        Err("the programs do not build".to_owned())
    }
}

fn compare(folder: &std::path::Path, profile: &str, rounds: usize) {
    println!("{profile}, medians of {rounds} interleaved rounds, ratio to System\n");
    println!("| | {} |", WORKLOADS.map(|workload| workload.name).join(" | "));
    println!("|---|{}", "---|".repeat(WORKLOADS.len()));
    let mut times = vec![vec![Vec::new(); WORKLOADS.len()]; RIVALS.len()];
    for _ in 0..rounds {
        for (workload, column) in WORKLOADS.iter().zip(0..) {
            for (rival, row) in RIVALS.iter().zip(0..) {
                times[row][column].push(time(&folder.join(rival.program), rival, workload.name));
            }
        }
    }
    let medians: Vec<Vec<f64>> =
        times.iter_mut().map(|row| row.iter_mut().map(|times| median(times)).collect()).collect();
    for (rival, row) in RIVALS.iter().zip(&medians) {
        let ratios =
            row.iter().zip(&medians[0]).map(|(time, system)| format!("{:.2}", time / system));
        println!("| {} | {} |", rival.name, ratios.collect::<Vec<_>>().join(" | "));
    }
    let nanoseconds = medians[0].iter().map(|time| format!("{time:.0} ns")).collect::<Vec<_>>();
    println!("\nSystem takes {} an operation.", nanoseconds.join(", "));
}

fn time(program: &std::path::Path, rival: &Rival, workload: &str) -> f64 {
    let output = Command::new(program).arg(workload).envs(rival.variable).output();
    let output =
        output.unwrap_or_else(|error| panic!("{} does not run: {error}", program.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().unwrap_or_else(|_| panic!("`{}` printed `{text}`", program.display()))
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
