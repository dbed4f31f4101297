//! One run of a fixture's test program.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::fixture::forget;
use crate::{Finished, Fixture, Folder};

/// No fixture takes nearly as long. One that hangs is a failure with its output, not a job that
/// somebody has to stop.
const DEADLINE: Duration = Duration::from_secs(120);

/// A run to be made. It starts with a clean environment: no variable of leakcheck, cargo, nextest
/// or libtest is passed on, passing tests are recorded and backtraces are off.
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

    /// Only the test with this name.
    pub fn only(self, test: &str) -> Self {
        self.arg("--exact").arg(test)
    }

    /// So many tests at a time.
    pub fn threads(self, threads: usize) -> Self {
        self.arg("--test-threads").arg(&threads.to_string())
    }

    /// One more argument for libtest.
    pub fn arg(mut self, arg: &str) -> Self {
        self.command.arg(arg);
        self
    }

    /// One more variable of the environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs the program to its end.
    ///
    /// # Panics
    ///
    /// When it crashes or hangs: whatever its tests did, libtest was not there to say so.
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

/// Reads a pipe on a thread, so that neither of two ever fills up.
fn collect(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("the pipe can be read");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The exit code; none after a signal, and none when the time was over.
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
