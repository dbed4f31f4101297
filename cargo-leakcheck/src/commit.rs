//! The commit of a run.

use std::path::Path;
use std::process::{Command, Stdio};

/// The commit, the first line of its message, and whether files differ from it. Nothing is known
/// outside of a repository.
pub(crate) fn of(directory: &Path) -> (Option<String>, Option<String>, bool) {
    let Some(head) = git(directory, &["log", "-1", "--format=%H%n%s"]) else {
        return (None, None, false);
    };
    let mut lines = head.lines();
    let commit = lines.next().map(str::to_owned);
    let subject = lines.next().map(str::to_owned);
    let changes = git(directory, &["status", "--porcelain", "--untracked-files=no"]);
    (commit, subject, changes.is_some_and(|changes| !changes.trim().is_empty()))
}

fn git(directory: &Path, args: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    let output = git.current_dir(directory).args(args).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
