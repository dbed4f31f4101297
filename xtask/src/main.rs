//! The project's own chores: `cargo xtask <verb>`.
//!
//! One verb, one function; a verb that needs more has a file of its own.

mod accuracy;
mod corpus;
mod versions;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "\
usage: cargo xtask <verb>

  ci                       what CI runs: .ci/run
  corpus [--ci] [CASE…]    the checks of real leaks in published crates, all or some;
                           --ci takes those that build quickly
  accuracy [--runs N] [--write] [CASE…]
                           what leakcheck and its rivals find in them; --write puts
                           the tables into docs/accuracy.md
  versions                 builds the published crates with the oldest versions of
                           their dependencies, and beside an old lock file";

/// What a verb comes to: whether everything was as it should be, or why it could not tell.
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
        Some((verb, [])) if verb == "ci" => ci(),
        Some((verb, rest)) if verb == "corpus" => corpus::run(rest),
        Some((verb, rest)) if verb == "accuracy" => accuracy::run(rest),
        Some((verb, [])) if matches!(verb.as_str(), "help" | "-h" | "--help") => {
            println!("{USAGE}");
            Ok(true)
        }
        Some((verb, [])) if verb == "versions" => versions::run(),
        Some((verb, [arg, ..])) if verb == "ci" || verb == "versions" => {
            Err(format!("`{verb}` takes no `{arg}`\n\n{USAGE}"))
        }
        Some((verb, _)) => Err(format!("unknown verb `{verb}`\n\n{USAGE}")),
        None => Err(format!("no verb given\n\n{USAGE}")),
    }
}

fn ci() -> Outcome {
    let status = Command::new("bash")
        .arg(".ci/run")
        .current_dir(root())
        .status()
        .map_err(|e| format!("cannot run `bash .ci/run`: {e}"))?;
    Ok(status.success())
}

/// The folder of the workspace.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask lies in the workspace").to_owned()
}
