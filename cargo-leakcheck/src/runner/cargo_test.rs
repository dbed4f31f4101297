//! `cargo test`.

use std::io::BufReader;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{RecvTimeoutError, channel};

use cargo_metadata::Message;

use super::{Output, Plan, cargo};
use crate::error::{Error, Result};
use crate::progress::{PAUSE, Progress};
use crate::records;
use crate::setup::Programs;
use crate::target_runner::Invocation;
use crate::workspace::Workspace;

/// Builds the tests, with cargo's messages on stderr, and returns the programs.
pub(crate) fn build(plan: &Plan, workspace: &Workspace) -> Result<Programs> {
    let mut command = cargo();
    command.arg("test");
    plan.build(&mut command);
    command.args(["--no-run", "--message-format=json-render-diagnostics"]);
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(cannot_run)?;
    let mut programs = Programs::new();
    let stdout = child.stdout.take().expect("it is piped");
    for message in Message::parse_stream(BufReader::new(stdout)) {
        let Ok(Message::CompilerArtifact(artifact)) = message else { continue };
        let Some(path) = artifact.executable.filter(|_| artifact.profile.test) else { continue };
        let kind = artifact.target.kind.first().map(ToString::to_string).unwrap_or_default();
        let program = workspace.program(&artifact.package_id, &kind, &artifact.target.name);
        programs.extend(program.map(|program| (path.into_string(), program)));
    }
    let status = child.wait().map_err(cannot_run)?;
    if status.success() { Ok(programs) } else { Err(Error::build_failed()) }
}

/// Runs the tests. Returns whether cargo succeeded, and the output.
pub(crate) fn run(
    plan: &Plan,
    invocation: &Invocation,
    directory: &Path,
    progress: &mut Progress,
) -> Result<(bool, String)> {
    let (mut output, stdout, stderr) = Output::make(directory)?;
    let mut command = cargo();
    command.arg("test");
    plan.run(&mut command, invocation);
    command.args(["--no-fail-fast", "--color", "never"]);
    command.arg("--").args(&plan.libtest);
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    let mut child = command.spawn().map_err(cannot_run)?;
    let (ended, end) = channel();
    std::thread::spawn(move || ended.send(child.wait()));
    let status = loop {
        let status = end.recv_timeout(PAUSE);
        if plan.verbose {
            output.show();
        }
        if progress.is_shown() {
            progress.is_at(records::count(directory));
        }
        match status {
            Ok(status) => break status.map_err(cannot_run)?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Error::unusable("`cargo test` was not waited for"));
            }
        }
    };
    Ok((status.success(), output.read()))
}

fn cannot_run(error: std::io::Error) -> Error {
    Error::unusable(format!("cargo cannot be run: {error}"))
}
