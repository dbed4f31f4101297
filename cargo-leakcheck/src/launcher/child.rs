//! The process of a test program: it gets the signals that are sent to this process, and this
//! process ends as it did.

use std::io;
use std::process::{Child, Command, ExitCode, ExitStatus};

use leakcheck_report::run::End;

/// Starts a program and waits for its end. Also returns its process id.
pub(crate) fn run(mut command: Command) -> (End, Option<u32>) {
    let program = command.get_program().to_string_lossy().into_owned();
    let started = Signals::hold().and_then(|signals| {
        let child = command.spawn()?;
        let process = child.id();
        signals.pass_on_until_the_end(child).map(|status| (end(status), Some(process)))
    });
    started.unwrap_or_else(|error| {
        let problem = format!("`{program}` cannot be run: {error}");
        eprintln!("leakcheck: {problem}");
        (End::NotStarted(problem), None)
    })
}

/// The same where only the end counts.
pub(crate) fn wait_for(command: Command) -> End {
    run(command).0
}

#[cfg(unix)]
fn end(status: ExitStatus) -> End {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => End::ExitCode(code),
        (None, signal) => End::Signal(signal.unwrap_or_default()),
    }
}

#[cfg(not(unix))]
fn end(status: ExitStatus) -> End {
    End::ExitCode(status.code().unwrap_or(1))
}

/// Ends this process as another has ended.
pub(crate) fn end_as(end: &End) -> ExitCode {
    match end {
        End::ExitCode(code) => std::process::exit(*code),
        End::Signal(signal) => {
            #[cfg(unix)]
            die_of(*signal);
            std::process::exit(128 + signal)
        }
        // As a shell ends where there is no such program.
        End::NotStarted(_) => ExitCode::from(127),
    }
}

#[cfg(unix)]
fn die_of(signal: i32) {
    use nix::sys::resource::{Resource, setrlimit};
    use nix::sys::signal::{SigSet, Signal, raise};
    let Ok(signal) = Signal::try_from(signal) else { return };
    // The program has left a core file already, where that was wanted.
    _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    _ = SigSet::all().thread_unblock();
    // The standard library's handler for stack overflow takes the first SIGSEGV or SIGBUS, and
    // restores the default action.
    for _ in 0..2 {
        _ = raise(signal);
    }
}

/// The signals that are meant for the test program.
#[cfg(target_os = "linux")]
struct Signals(nix::sys::signal::SigSet);

#[cfg(target_os = "linux")]
impl Signals {
    /// From here on they wait until somebody asks for them. Programs that are started do not
    /// inherit that.
    fn hold() -> io::Result<Self> {
        use nix::sys::signal::Signal::{
            SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2,
        };
        let signals = [SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
        let set = signals.into_iter().collect::<nix::sys::signal::SigSet>();
        set.thread_block()?;
        Ok(Self(set))
    }

    fn pass_on_until_the_end(self, mut child: Child) -> io::Result<ExitStatus> {
        use nix::sys::signal::Signal::{SIGCHLD, SIGINT, SIGQUIT};
        use nix::unistd::Pid;
        let process = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
        loop {
            // A child that has ended keeps its process id until this call, so no signal goes to
            // another process.
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            match self.0.wait()? {
                SIGCHLD => {}
                // From a terminal, which sends them to the test program too.
                SIGINT | SIGQUIT => {}
                signal => nix::sys::signal::kill(process, signal)?,
            }
        }
    }
}

/// Elsewhere, signals that are sent to the process group reach the test program too.
#[cfg(not(target_os = "linux"))]
struct Signals;

#[cfg(not(target_os = "linux"))]
impl Signals {
    fn hold() -> io::Result<Self> {
        Ok(Self)
    }

    fn pass_on_until_the_end(self, mut child: Child) -> io::Result<ExitStatus> {
        child.wait()
    }
}
