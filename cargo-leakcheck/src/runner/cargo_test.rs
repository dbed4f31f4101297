//! `cargo test`: what it and libtest say, line by line.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write, pipe};
use std::process::{Command, Stdio};

use cargo_metadata::Message;

use super::{Heard, Outcome, Plan, Ran, cargo, folder};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::workspace::Workspace;

/// The folders of the reports of all test programs, by the programs' file names.
pub(crate) type Programs = HashMap<String, String>;

/// Builds the tests, with cargo's own words on stderr, and tells the programs.
pub(crate) fn build(plan: &Plan, workspace: &Workspace) -> Result<Programs> {
    let mut command = cargo();
    command.arg("test").args(&plan.flags);
    command.args(["--no-run", "--message-format=json-render-diagnostics"]);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| Error::unusable(format!("cargo cannot be run: {error}")))?;
    let mut programs = Programs::new();
    let stdout = child.stdout.take().expect("it is piped");
    for message in Message::parse_stream(BufReader::new(stdout)) {
        let Ok(Message::CompilerArtifact(artifact)) = message else { continue };
        let Some(program) = artifact.executable else { continue };
        let package = workspace.package(&artifact.package_id);
        let (Some(package), Some(name)) = (package, program.file_name()) else { continue };
        let kind = artifact.target.kind.first().map(ToString::to_string).unwrap_or_default();
        programs.insert(name.to_owned(), folder(package, &kind, &artifact.target.name));
    }
    let status =
        child.wait().map_err(|error| Error::unusable(format!("cargo got lost: {error}")))?;
    if status.success() { Ok(programs) } else { Err(Error::build_failed()) }
}

/// Runs the tests. stdout and stderr share a pipe, so that what cargo says of a program comes before
/// what the program says.
pub(crate) fn run(plan: &Plan, programs: &Programs, progress: &mut Progress) -> Result<Heard> {
    let mut command = cargo();
    command.arg("test").args(&plan.flags).arg("--no-fail-fast");
    command.args(["--color", "never"]);
    command.arg("--").args(&plan.libtest);
    command.envs(&plan.variables);
    listen(command, |line, listener| listener.hear(line, progress), Listener::new(programs), plan)
        .map(|(listener, success, output)| listener.finish(success, output))
}

/// Calls a command and hands out its lines.
fn listen<L>(
    mut command: Command,
    mut hear: impl FnMut(&str, &mut L),
    mut listener: L,
    plan: &Plan,
) -> Result<(L, bool, String)> {
    let lost = |error| Error::unusable(format!("cargo cannot be run: {error}"));
    let (reader, writer) = pipe().map_err(lost)?;
    let also = writer.try_clone().map_err(lost)?;
    let mut child =
        command.stdin(Stdio::null()).stdout(writer).stderr(also).spawn().map_err(lost)?;
    // It holds the ends of the pipe that are for writing.
    drop(command);
    let mut output = String::new();
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).map_err(lost)? > 0 {
        let text = String::from_utf8_lossy(&line);
        if plan.verbose {
            _ = std::io::stderr().write_all(text.as_bytes());
        }
        hear(text.trim_end_matches(['\n', '\r']), &mut listener);
        output.push_str(&text);
        line.clear();
    }
    let status = child.wait().map_err(lost)?;
    Ok((listener, status.success(), output))
}

/// Understands the lines.
struct Listener<'a> {
    programs: &'a Programs,
    heard: Heard,
    /// The program under way.
    program: Option<Program>,
}

/// A test program under way.
struct Program {
    target: String,
    doctests: bool,
    /// libtest has said how many tests it runs.
    begun: bool,
    ended: bool,
    failures: usize,
    /// A test whose outcome comes with the next line that has one.
    waits: Option<String>,
}

impl<'a> Listener<'a> {
    fn new(programs: &'a Programs) -> Self {
        Self { programs, heard: Heard::default(), program: None }
    }

    fn hear(&mut self, line: &str, progress: &mut Progress) {
        if let Some(rest) =
            line.trim_start().strip_prefix("Running ").filter(|_| line.starts_with("     "))
        {
            let program = rest.rsplit_once('(').map_or("", |(_, path)| path.trim_end_matches(')'));
            let file = program.rsplit(['/', '\\']).next().unwrap_or_default();
            let target = self.programs.get(file).cloned().unwrap_or_else(|| file.to_owned());
            return self.begin(target, false);
        }
        if let Some(package) = line.trim_start().strip_prefix("Doc-tests ") {
            return self.begin(format!("{package}/rust_out"), true);
        }
        if let Some(how) = ended_badly(line) {
            self.cut_off(&how);
        }
        let Some(program) = &mut self.program else { return };
        if let Some(count) = line.strip_prefix("running ").and_then(number) {
            program.begun = true;
            progress.expect(count);
        } else if let Some(result) = line.strip_prefix("test result: ") {
            program.ended = true;
            let failed = result.split("; ").find_map(|part| part.strip_suffix(" failed"));
            let failed = failed.and_then(|number| number.parse().ok()).unwrap_or(0);
            self.heard.unnamed_failures += program.failures.abs_diff(failed);
        } else if let Some((name, outcome)) = program.outcome(line) {
            let name = name.strip_suffix(" - should panic").unwrap_or(&name).to_owned();
            program.failures += usize::from(outcome == Outcome::Failed);
            progress.ended(&name, outcome);
            if !(program.doctests && outcome != Outcome::Failed) {
                let target = program.target.clone();
                self.heard.ran.push(Ran { target, name, outcome, seconds: None });
            }
        }
    }

    fn begin(&mut self, target: String, doctests: bool) {
        self.end();
        self.program = Some(Program {
            target,
            doctests,
            begun: false,
            ended: false,
            failures: 0,
            waits: None,
        });
    }

    /// The program under way is over, whether it said so or not.
    fn end(&mut self) {
        if let Some(program) = self.program.take()
            && program.begun
            && !program.ended
        {
            self.heard.problems.push(cut_off(&program.target, "without a result"));
        }
    }

    /// cargo says that the last program did not end as libtest ends.
    fn cut_off(&mut self, how: &str) {
        let Some(program) = self.program.take() else { return };
        if !program.ended {
            self.heard.problems.push(cut_off(&program.target, how));
        } else {
            self.program = Some(program);
        }
    }

    fn finish(mut self, success: bool, output: String) -> Heard {
        self.end();
        self.heard.success = success;
        self.heard.output = output;
        self.heard
    }
}

fn cut_off(target: &str, how: &str) -> String {
    format!("the tests of `{target}` ended {how}: those that were to come did not run")
}

impl Program {
    /// Reads `test name ... ok`. With one test at a time libtest writes the name first, and what a test writes past
    /// libtest comes in between.
    fn outcome(&mut self, line: &str) -> Option<(String, Outcome)> {
        if let Some((name, rest)) =
            line.strip_prefix("test ").and_then(|line| line.split_once(" ... "))
        {
            if let Some(outcome) = word(rest) {
                self.waits = None;
                return Some((name.to_owned(), outcome));
            }
            self.waits = Some(name.to_owned());
            return None;
        }
        let outcome = word(line)?;
        self.waits.take().map(|name| (name, outcome))
    }
}

fn word(text: &str) -> Option<Outcome> {
    // `ignored, why`, and in newer versions the time in angle brackets.
    match text.split([',', ' ', '<']).next()? {
        "ok" => Some(Outcome::Passed),
        "FAILED" => Some(Outcome::Failed),
        "ignored" => Some(Outcome::Ignored),
        _ => None,
    }
}

/// The number in `3 tests`.
fn number(text: &str) -> Option<usize> {
    let (number, what) = text.split_once(' ')?;
    what.starts_with("test").then(|| number.parse().ok())?
}

/// How a process ended that was not libtest's own way: `(signal: 9, SIGKILL: kill)`.
fn ended_badly(line: &str) -> Option<String> {
    let how = line.trim_start().strip_prefix("process didn't exit successfully: `")?;
    let (_, how) = how.rsplit_once("` (")?;
    let how = how.trim_end_matches(')');
    if let Some(signal) = how.strip_prefix("signal: ") {
        // `9, SIGKILL: kill`.
        let name = signal.split(": ").next().unwrap_or(signal);
        return Some(match name.split_once(", ") {
            Some((number, name)) => format!("by signal {number} ({name})"),
            None => format!("by signal {name}"),
        });
    }
    let code = how.strip_prefix("exit status: ").or_else(|| how.strip_prefix("exit code: "))?;
    (code != "101").then(|| format!("with exit code {code}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(lines: &str) -> Heard {
        let programs = Programs::from([
            ("app-0123".to_owned(), "app".to_owned()),
            ("api-4567".to_owned(), "app/tests/api".to_owned()),
        ]);
        let mut listener = Listener::new(&programs);
        let mut progress = Progress::hidden();
        lines.lines().for_each(|line| listener.hear(line, &mut progress));
        listener.finish(false, String::new())
    }

    fn names(heard: &Heard) -> Vec<(String, Outcome)> {
        heard.ran.iter().map(|ran| (format!("{}::{}", ran.target, ran.name), ran.outcome)).collect()
    }

    #[test]
    fn outcomes_belong_to_the_program_that_cargo_named() {
        let heard = hear(
            "     Running unittests src/lib.rs (target/debug/deps/app-0123)\n\nrunning 3 tests\ntest a ... ok\n\
             test b - should panic ... FAILED\ntest c ... ignored, slow\n\ntest result: FAILED. 1 passed; 1 failed; 1 \
             ignored; 0 measured; 0 filtered out; finished in 0.00s\n\nerror: test failed, to rerun pass `--lib`\n     \
             Running tests/api.rs (target/debug/deps/api-4567)\n\nrunning 1 test\ntest a ... ok\n\ntest result: ok. 1 \
             passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n",
        );
        let expected = [
            ("app::a".to_owned(), Outcome::Passed),
            ("app::b".to_owned(), Outcome::Failed),
            ("app::c".to_owned(), Outcome::Ignored),
            ("app/tests/api::a".to_owned(), Outcome::Passed),
        ];
        assert_eq!(names(&heard), expected);
        assert_eq!((heard.problems.len(), heard.unnamed_failures), (0, 0));
    }

    #[test]
    fn what_a_test_writes_past_libtest_does_not_hide_its_outcome() {
        let heard = hear(
            "     Running unittests src/lib.rs (target/debug/deps/app-0123)\nrunning 1 test\ntest a ... a child speaks\n\
             and again\nok\ntest result: ok. 1 passed; 0 failed; 0 ignored\n",
        );
        assert_eq!(names(&heard), [("app::a".to_owned(), Outcome::Passed)]);
    }

    #[test]
    fn a_program_that_is_killed_is_a_problem() {
        let heard = hear(
            "     Running unittests src/lib.rs (target/debug/deps/app-0123)\nrunning 2 tests\ntest a ... ok\nerror: \
             test failed, to rerun pass `--lib`\n\nCaused by:\n  process didn't exit successfully: \
             `/t/app-0123 --x` (signal: 9, SIGKILL: kill)\n     Running tests/api.rs (target/debug/deps/api-4567)\n\
             running 1 test\ntest a ... ok\ntest result: ok. 1 passed; 0 failed\n",
        );
        assert_eq!(heard.problems.len(), 1, "{:?}", heard.problems);
        assert!(
            heard.problems[0].contains("`app` ended by signal 9 (SIGKILL)"),
            "{:?}",
            heard.problems
        );
    }

    #[test]
    fn a_program_that_just_stops_is_a_problem() {
        let heard = hear(
            "     Running unittests src/lib.rs (target/debug/deps/app-0123)\nrunning 2 tests\ntest a ... ok\n",
        );
        assert!(heard.problems[0].contains("without a result"), "{:?}", heard.problems);
    }

    #[test]
    fn failures_that_are_not_named_are_counted() {
        let heard = hear(
            "     Running unittests src/lib.rs (target/debug/deps/app-0123)\nrunning 2 tests\nFF\ntest result: FAILED. 0 \
             passed; 2 failed; 0 ignored\n",
        );
        assert_eq!(heard.unnamed_failures, 2);
    }
}
