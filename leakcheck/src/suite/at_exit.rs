//! How a program ends whose tests have leaked: with the code of failure, whatever libtest thinks.

use std::ffi::{c_int, c_void};
use std::ptr::null_mut;
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};

use leakcheck_ledger::thread::Untracked;
use leakcheck_system::fork::ForkMutex;

use leakcheck_report::format::counted;

use crate::journal;
use crate::message;
use crate::report::Report;
use crate::settings::{self, Mode};

/// libtest's exit status when a test has failed.
const FAILURE: c_int = 101;

/// The most names in the last line.
const MOST_NAMES: usize = 10;

/// The status that the program was about to end with.
static STATUS: AtomicI32 = AtomicI32::new(0);
/// The process with that status: the child of a fork ends as it likes.
static PROCESS: AtomicU32 = AtomicU32::new(0);
static FAILS: AtomicBool = AtomicBool::new(false);
static LEAKED: ForkMutex<Vec<String>> = ForkMutex::new(22, Vec::new());
static PROBLEM: ForkMutex<Option<String>> = ForkMutex::new(23, None);
static HELD_BACK: ForkMutex<Vec<Report>> = ForkMutex::new(24, Vec::new());

unsafe extern "C" {
    /// glibc's `atexit` with the status.
    fn on_exit(function: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
}

extern "C" fn note_status(status: c_int, _: *mut c_void) {
    STATUS.store(status, Ordering::SeqCst);
}

pub(super) fn watch_the_status() {
    PROCESS.store(std::process::id(), Ordering::SeqCst);
    // SAFETY: the function takes what `on_exit` gives it and may run at any exit from now on.
    if unsafe { on_exit(note_status, null_mut()) } != 0 {
        // Without the status, held-back tests must not be reported as leaks of a green run.
        STATUS.store(FAILURE, Ordering::SeqCst);
    }
}

/// Makes the program fail because a test leaked.
pub(super) fn leaked(test: &str) {
    names().push(test.to_owned());
    FAILS.store(true, Ordering::SeqCst);
}

/// Makes the program fail because a limit that somebody wrote cannot be judged. The report says which.
pub(super) fn not_judged() {
    FAILS.store(true, Ordering::SeqCst);
}

/// Makes the program fail because a test could not be checked. The first reason is printed once, when
/// the program ends.
pub(super) fn cannot_see(problem: String) {
    FAILS.store(true, Ordering::SeqCst);
    PROBLEM.lock().get_or_insert(problem);
}

/// Reports that `check_all!` has found no test in a program without libtest, and makes the program
/// fail, unless leaks only cause warnings.
pub(super) fn checks_nothing() {
    message::to_stderr(
        "`check_all!` checked no test: it recognizes the tests of libtest, and this program has `harness = false`. \
         Call `leakcheck::check` instead",
    );
    let mode = settings::of_process().map(|settings| settings.mode);
    FAILS.fetch_or(mode.is_ok_and(|mode| mode != Mode::Warn), Ordering::SeqCst);
}

/// Warns about an unnamed thread of the main thread: libtest names its threads.
pub(super) fn not_libtests() {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !SAID.swap(true, Ordering::Relaxed) {
        message::to_stderr(
            "`check_all!` recognizes a test by the thread that libtest starts for it; a thread without a name was not \
             checked. With another harness, use `leakcheck::check`",
        );
    }
}

/// Keeps the report of a test that left memory behind and panicked, perhaps as expected.
pub(super) fn hold_back(report: Report) {
    HELD_BACK.lock().push(report);
}

/// The reports that were held back.
pub(super) fn take_held_back() -> Vec<Report> {
    std::mem::take(&mut *HELD_BACK.lock())
}

/// Whether libtest is about to report success.
pub(super) fn no_test_has_failed() -> bool {
    STATUS.load(Ordering::SeqCst) == 0
}

/// Whether the program that ends is the one that watches its status, and not a child of a fork.
pub(super) fn is_watched_process() -> bool {
    PROCESS.load(Ordering::SeqCst) == std::process::id()
}

/// Prints which tests have leaked, and ends the program with the code of failure if one has.
pub(super) fn end_program() {
    let _untracked = Untracked::new();
    let names = names();
    if !names.is_empty() {
        message::to_stderr(&summary(&names));
    }
    if let Some(problem) = PROBLEM.lock().take() {
        message::to_stderr(&format!("tests were not checked: {problem}"));
    }
    if journal::fail_if_open() {
        FAILS.store(true, Ordering::SeqCst);
    }
    if FAILS.load(Ordering::SeqCst) {
        // SAFETY: flushes the streams of C, which `_exit` does not.
        unsafe { libc::fflush(null_mut()) };
        // SAFETY: ends the process; all other handlers but those of libraries are over.
        unsafe { libc::_exit(FAILURE) };
    }
}

fn summary(names: &[String]) -> String {
    let listed: Vec<String> =
        names.iter().take(MOST_NAMES).map(|name| format!("`{name}`")).collect();
    let more = match names.len() - listed.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{} leaked: {}{more}", counted(names.len() as u64, "test"), listed.join(", "))
}

fn names() -> MutexGuard<'static, Vec<String>> {
    LEAKED.lock()
}
