//! The process of a test program. Signals to this process are passed on to it, and this process ends
//! in the same way.

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

/// The same without the process id.
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

/// Ends this process in the way in which another one ended.
pub(crate) fn end_as(end: &End) -> ExitCode {
    match end {
        End::ExitCode(code) => std::process::exit(*code),
        End::Signal(signal) => {
            #[cfg(unix)]
            die_of(*signal);
            std::process::exit(128 + signal)
        }
        // The exit code of a shell that does not find a program.
        End::NotStarted(_) => ExitCode::from(127),
    }
}

#[cfg(unix)]
fn die_of(signal: i32) {
    use nix::sys::resource::{Resource, setrlimit};
    // The program has already written a core file, if that is enabled.
    _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    _ = signal_hook::low_level::emulate_default_handler(signal);
    // If the signal did not end this process. The standard library's handler for stack overflows
    // receives the first SIGSEGV or SIGBUS and restores the default action.
    if let Ok(signal) = nix::sys::signal::Signal::try_from(signal) {
        for _ in 0..2 {
            _ = nix::sys::signal::raise(signal);
        }
    }
}

/// The signals that are passed on to the test program.
#[cfg(unix)]
struct Signals(signal_hook::iterator::Signals);

#[cfg(unix)]
impl Signals {
    /// Stops these signals from ending this process. Started programs do not inherit that.
    fn hold() -> io::Result<Self> {
        use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
        let signals = [SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
        signal_hook::iterator::Signals::new(signals).map(Self)
    }

    fn pass_on_until_the_end(mut self, mut child: Child) -> io::Result<ExitStatus> {
        use nix::sys::signal::{Signal, kill};
        use signal_hook::consts::{SIGCHLD, SIGINT, SIGQUIT};
        let process =
            nix::unistd::Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
        // It may already have ended.
        let mut status = child.try_wait()?;
        while status.is_none() {
            for signal in self.0.wait() {
                match signal {
                    // A child that has ended keeps its process id until this call, so no signal
                    // reaches another process.
                    SIGCHLD => status = child.try_wait()?,
                    // The terminal sends these to the test program too.
                    SIGINT | SIGQUIT => {}
                    signal if status.is_none() => kill(process, Signal::try_from(signal)?)?,
                    _ => {}
                }
            }
        }
        status.ok_or_else(|| io::Error::other("the program has no exit status"))
    }
}

/// Other platforms have no signals to pass on.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn hold() -> io::Result<Self> {
        Ok(Self)
    }

    fn pass_on_until_the_end(self, mut child: Child) -> io::Result<ExitStatus> {
        child.wait()
    }
}
