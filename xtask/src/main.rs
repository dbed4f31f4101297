//! Tasks of this project: `cargo xtask <task>`.
//!
//! Each task is one function, or a file of its own if it needs more.

mod accuracy;
mod corpus;
mod versions;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "\
usage: cargo xtask <task>

  ci                       run what CI runs (.ci/run)
  corpus [--ci] [CASE…]    check real leaks in published crates, all cases or the given ones;
                           --ci selects those that build quickly
  accuracy [--runs N] [--write] [CASE…]
                           compare what leakcheck and similar tools find in them;
                           --write writes the tables to docs/accuracy.md
  versions                 build the published crates with the oldest versions of
                           their dependencies, and next to an old lock file";

/// Whether a task succeeded, or why it could not run.
type Outcome = Result<bool, String>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &[String]) -> Outcome {
    match args.split_first() {
        Some((task, [])) if task == "ci" => ci(),
        Some((task, rest)) if task == "corpus" => corpus::run(rest),
        Some((task, rest)) if task == "accuracy" => accuracy::run(rest),
        Some((task, [])) if matches!(task.as_str(), "help" | "-h" | "--help") => {
            println!("{USAGE}");
            Ok(true)
        }
        Some((task, [])) if task == "versions" => versions::run(),
        Some((task, [arg, ..])) if task == "ci" || task == "versions" => {
            Err(format!("unexpected argument `{arg}` for `{task}`\n\n{USAGE}"))
        }
        Some((task, _)) => Err(format!("unknown task `{task}`\n\n{USAGE}")),
        None => Err(format!("no task given\n\n{USAGE}")),
    }
}

fn ci() -> Outcome {
    let status = Command::new("bash")
        .arg(".ci/run")
        .current_dir(root())
        .status()
        .map_err(|e| format!("failed to run `bash .ci/run`: {e}"))?;
    Ok(status.success())
}

/// The root of the workspace.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask lies in the workspace").to_owned()
}
