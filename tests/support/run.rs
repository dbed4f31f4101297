//! Runs of a fixture's test program.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::fixture::forget;
use crate::{Finished, Fixture, Folder};

/// No fixture takes nearly as long. A fixture that hangs fails with its output.
const DEADLINE: Duration = Duration::from_secs(120);

/// A run that is about to start, in a clean environment: variables of leakcheck, cargo, nextest and
/// libtest are removed, passing tests are recorded, and backtraces are off.
#[derive(Debug)]
#[must_use = "nothing runs before `go`"]
pub struct Run {
    command: Command,
    reports: Folder,
}

impl Run {
    pub(crate) fn new(fixture: Fixture) -> Self {
        let reports = Folder::new();
        let mut command = Command::new(fixture.program());
        forget(&mut command, &["LEAK_", "NEXTEST", "CARGO_", "RUST_"]);
        command
            .current_dir(fixture.directory())
            .env("CARGO_MANIFEST_DIR", fixture.directory())
            .env("LEAK_RECORD", "on")
            .env("LEAK_HOLDERS", "off")
            .env("LEAK_REPORT_DIR", reports.path())
            .env("RUST_BACKTRACE", "0");
        Self { command, reports }
    }

    /// Runs only the test with this name.
    pub fn only(self, test: &str) -> Self {
        self.arg("--exact").arg(test)
    }

    /// Runs this many tests in parallel.
    pub fn threads(self, threads: usize) -> Self {
        self.arg("--test-threads").arg(&threads.to_string())
    }

    /// Adds an argument for libtest.
    pub fn arg(mut self, arg: &str) -> Self {
        self.command.arg(arg);
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs the program to its end.
    ///
    /// # Panics
    ///
    /// If it crashes or hangs, so that libtest does not report all outcomes.
    #[track_caller]
    pub fn go(mut self) -> Finished {
        let mut child =
            self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        let stdout = collect(child.stdout.take().expect("stdout is piped"));
        let stderr = collect(child.stderr.take().expect("stderr is piped"));
        let code = wait(&mut child);
        let [stdout, stderr] =
            [stdout, stderr].map(|reader| reader.join().expect("the pipe can be read"));
        assert!(
            matches!(code, Some(0 | 101)),
            "{:?} ended with {code:?}:\n{stdout}\n{stderr}",
            self.command
        );
        Finished::read(stdout, stderr, code, self.reports.path())
    }
}

/// Reads a pipe on a thread, so that neither of the two pipes fills up.
fn collect(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("the pipe can be read");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The exit code, or `None` after a signal or a timeout.
fn wait(child: &mut Child) -> Option<i32> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("the child can be waited for") {
            return status.code();
        }
        if start.elapsed() > DEADLINE {
            child.kill().expect("the child can be killed");
            child.wait().expect("the child can be waited for");
            return None;
        }
        thread::sleep(Duration::from_millis(2));
    }
}
