//! What happens when the process exits while a check is open.

#[cfg(all(unix, not(miri)))]
use std::sync::atomic::{AtomicBool, Ordering};

use leakcheck_ledger::thread::Untracked;

use crate::message;
use crate::settings::{self, Mode};

/// The code of failure, as libtest has it.
#[cfg(unix)]
const FAILURE: i32 = 101;

/// Whether `check_all!` asks for the open checks at exit, together with what else it reports then.
#[cfg(all(unix, not(miri)))]
static LEFT_TO_SUITE: AtomicBool = AtomicBool::new(false);

/// Leaves it to the caller to call [`fail_if_open`] at exit.
#[cfg(interposed)]
pub(crate) fn leave_to_suite() {
    LEFT_TO_SUITE.store(true, Ordering::SeqCst);
}

/// After all exit handlers of the program, so that they still run.
#[cfg(all(target_os = "linux", not(miri)))]
#[used]
#[unsafe(link_section = ".fini_array")]
static AT_EXIT: extern "C" fn() = exit;

#[cfg(all(target_os = "linux", not(miri)))]
pub(super) fn prepare() {}

/// Elsewhere, before the exit handlers that were there before the first check.
#[cfg(all(unix, not(target_os = "linux"), not(miri)))]
pub(super) fn prepare() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    // SAFETY: `exit` takes no arguments and may run at any exit from now on.
    ONCE.call_once(|| _ = unsafe { libc::atexit(exit) });
}

#[cfg(any(not(unix), miri))]
pub(super) fn prepare() {}

#[cfg(all(unix, not(miri)))]
extern "C" fn exit() {
    if !LEFT_TO_SUITE.load(Ordering::SeqCst) && fail_if_open() {
        // SAFETY: a null pointer asks for all streams of C, which `_exit` does not flush.
        unsafe { libc::fflush(std::ptr::null_mut()) };
        // SAFETY: ending the process at once is what exit comes to after this handler.
        unsafe { libc::_exit(FAILURE) };
    }
}

/// Says that a check is open where the process ends without exit handlers, and returns the status to
/// end with. Neither allocates nor locks.
#[cfg(interposed)]
pub(crate) fn fail_without_handlers() -> i32 {
    const TEXT: &[u8] =
        b"leakcheck: the process called `_exit` while a check was open, so leaks may have gone \
        unseen; run code that exits in a process of its own\n";
    // SAFETY: the text is valid for reads of its length.
    unsafe { libc::write(libc::STDERR_FILENO, TEXT.as_ptr().cast(), TEXT.len()) };
    let is_warning = settings::of_process().is_ok_and(|settings| settings.mode == Mode::Warn);
    if is_warning { 0 } else { FAILURE }
}

/// Names the open checks, and returns whether the process must fail for them.
#[cfg(all(unix, not(miri)))]
pub(crate) fn fail_if_open() -> bool {
    let _untracked = Untracked::new();
    let names = super::names();
    if names.is_empty() {
        return false;
    }
    let listed: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let (listed, were) = (listed.join(", "), if names.len() == 1 { "was" } else { "were" });
    message::to_stderr(&format!(
        "the process exited while {listed} {were} being checked, so leaks may have gone unseen; run code that exits \
         in a process of its own"
    ));
    settings::of_process().is_ok_and(|settings| settings.mode != Mode::Warn)
}
