//! Which checks of this process are open.
//!
//! `cargo leakcheck` names a file by a variable, and each check puts a line into it when it begins
//! and when it ends, so that a process that is killed leaves behind what was open. A process that
//! exits by itself while a check is open fails: nobody knows what the test has leaked.

#[allow(unsafe_code, reason = "runs when the process exits, and ends it")]
mod at_exit;

use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use leakcheck_ledger::thread::Untracked;
use leakcheck_report::journal::{Event, Line, Unwritten, VARIABLE};
use leakcheck_report::json;
use leakcheck_system::fork::ForkMutex;

#[cfg(interposed)]
pub(crate) use at_exit::{fail_if_open, fail_without_handlers, leave_to_suite};

/// The open checks of this process, and of the one that it was forked from.
static OPEN: ForkMutex<Vec<Check>> = ForkMutex::new(25, Vec::new());

/// The process that opened a check last, and how many it has open, for signal handlers.
static OPEN_IN: AtomicU32 = AtomicU32::new(0);
static OPEN_COUNT: AtomicUsize = AtomicUsize::new(0);

struct Check {
    number: u64,
    process: u32,
    name: Name,
}

enum Name {
    Known(String),
    /// The directory of the thread in `/proc`, where the system has one. `check_all!` learns the
    /// name of a test when it ends.
    #[cfg_attr(not(interposed), allow(dead_code, reason = "`check_all!` needs hooks"))]
    Thread(Option<PathBuf>),
}

/// A check that has begun. It ends with this value.
#[derive(Debug)]
pub(crate) struct Open(u64);

/// Whether a check with a name has begun in this process.
#[cfg(interposed)]
pub(crate) fn has_begun() -> bool {
    HAS_BEGUN.load(Ordering::Relaxed)
}

static HAS_BEGUN: AtomicBool = AtomicBool::new(false);

/// A check by that name begins.
pub(crate) fn begin(name: &str) -> Open {
    HAS_BEGUN.store(true, Ordering::Relaxed);
    open(Name::Known(name.to_owned()))
}

/// The check of the test that this thread is about to run begins.
#[cfg(interposed)]
pub(crate) fn begin_on_thread() -> Open {
    let thread = fs::read_link("/proc/thread-self").ok();
    open(Name::Thread(thread.map(|thread| PathBuf::from("/proc").join(thread))))
}

fn open(name: Name) -> Open {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    at_exit::prepare();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let known = match &name {
        Name::Known(name) => Some(name.clone()),
        Name::Thread(_) => None,
    };
    write(Event::Began { check: number, name: known });
    let process = std::process::id();
    OPEN.lock().push(Check { number, process, name });
    if OPEN_IN.swap(process, Ordering::SeqCst) == process {
        OPEN_COUNT.fetch_add(1, Ordering::SeqCst);
    } else {
        // The checks of the process that this one was forked from are not its own.
        OPEN_COUNT.store(1, Ordering::SeqCst);
    }
    Open(number)
}

impl Drop for Open {
    fn drop(&mut self) {
        let _untracked = Untracked::new();
        OPEN.lock().retain(|check| check.number != self.0);
        let closed = |count: usize| count.checked_sub(1);
        if OPEN_IN.load(Ordering::SeqCst) == std::process::id() {
            _ = OPEN_COUNT.fetch_update(Ordering::SeqCst, Ordering::SeqCst, closed);
        }
        write(Event::Ended { check: self.0 });
    }
}

/// Whether this process, and not the one that it was forked from, has a check open. Neither allocates
/// nor locks.
#[cfg(interposed)]
pub(crate) fn is_open_in_this_process() -> bool {
    OPEN_COUNT.load(Ordering::SeqCst) > 0 && OPEN_IN.load(Ordering::SeqCst) == std::process::id()
}

/// A report could not be written.
pub(crate) fn unwritten(check: &str, error: &str) {
    write(Event::Unwritten(Unwritten { check: check.to_owned(), error: error.to_owned() }));
}

/// The program has `check_all!`.
#[cfg(interposed)]
pub(crate) fn checks_all() {
    write(Event::ChecksAll);
}

/// Puts a line into the journal, if there is one. A line that cannot be written is missing: the
/// command then takes the check for one that was open.
fn write(event: Event) {
    static JOURNAL: OnceLock<Option<Journal>> = OnceLock::new();
    let Some(journal) = JOURNAL.get_or_init(Journal::open) else { return };
    let line = Line { process: std::process::id(), event };
    if let Ok(json) = json::compact(&line) {
        _ = journal.append(format!("{json}\n").as_bytes());
    }
}

/// The file of the journal. It stays open, for a test may use up all file descriptors.
struct Journal {
    path: PathBuf,
    file: File,
    identity: (u64, u64),
}

impl Journal {
    fn open() -> Option<Self> {
        let path = env::var_os(VARIABLE).map(PathBuf::from)?;
        let file = File::options().create(true).append(true).open(&path).ok()?;
        let identity = identity(&file)?;
        Some(Self { path, file, identity })
    }

    /// One write for a line, so that lines of several threads do not mix. A test may close file
    /// descriptors that it did not open, and open a file of its own in this one's place.
    fn append(&self, line: &[u8]) -> io::Result<()> {
        if identity(&self.file) == Some(self.identity) {
            return (&self.file).write_all(line);
        }
        File::options().append(true).open(&self.path)?.write_all(line)
    }
}

#[cfg(unix)]
fn identity(file: &File) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = file.metadata().ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_: &File) -> Option<(u64, u64)> {
    Some((0, 0))
}

/// The names of the checks that are open in this process.
fn names() -> Vec<String> {
    let process = std::process::id();
    let checks = OPEN.lock();
    checks.iter().filter(|check| check.process == process).map(|check| check.name.shown()).collect()
}

impl Name {
    fn shown(&self) -> String {
        match self {
            Self::Known(name) => name.clone(),
            Self::Thread(None) => "a test".to_owned(),
            Self::Thread(Some(thread)) => {
                // The kernel keeps 15 bytes of it.
                let name = fs::read_to_string(thread.join("comm")).unwrap_or_default();
                let name = name.trim_end();
                if name.len() == 15 { format!("{name}…") } else { name.to_owned() }
            }
        }
    }
}
