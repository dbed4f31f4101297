//! Whole test programs: every test that libtest runs is checked, without an attribute, by the thread
//! that libtest starts for it.
//!
//! A region is open from before that thread's first instruction of its own until its thread-locals
//! are destroyed. What it is called, which is the test's name, is known when the thread's start
//! routine has returned. libtest waits for the thread to end before it goes on, so no verdict is late.

#[allow(unsafe_code, reason = "asks glibc for the status at exit, and ends the process")]
mod at_exit;
mod verdict;

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{MutexGuard, OnceLock};

use leakcheck_holders::clear_dead;
use leakcheck_ledger::thread::{self, Thread, Untracked};
use leakcheck_system::fork::ForkMutex;

use crate::error::Error;
use crate::journal;
use crate::origin::Origin;
use crate::region::{self, Region};
use crate::settings::{self, Mode};
use leakcheck_report::NotJudged;

/// Makes the origin of a test of the program from its name.
type OriginOf = fn(String) -> Origin;

/// Set by `check_all!`; empty in a program without it.
static PROGRAM: OnceLock<OriginOf> = OnceLock::new();

/// Whether the program has libtest's harness.
static HAS_LIBTEST: AtomicBool = AtomicBool::new(false);
/// Whether a test was recognized.
static HAS_CHECKED: AtomicBool = AtomicBool::new(false);

/// The tests that are running.
static RUNNING: ForkMutex<Vec<Test>> = ForkMutex::new(20, Vec::new());

/// Why a test cannot be checked, and the words for it.
struct Unseen {
    reason: NotJudged,
    problem: String,
}

/// A test that is running.
struct Test {
    number: u64,
    /// The region, or why the test cannot be checked.
    region: Result<Region, Unseen>,
    /// Known once the start routine has returned.
    name: Option<String>,
    _open: journal::Open,
}

thread_local! {
    /// The number of the test that this thread runs, 0 for none.
    static HERE: Cell<u64> = const { Cell::new(0) };
    static PANICKED: Cell<bool> = const { Cell::new(false) };
}

/// Checks every test from now on. It runs before `main`.
pub fn check_all(origin: OriginOf, has_libtest: bool) {
    if PROGRAM.set(origin).is_ok() {
        HAS_LIBTEST.store(has_libtest, Ordering::Relaxed);
        journal::leave_to_suite();
        // Marks this thread as the main one even where the allocator, which usually does, is not
        // installed.
        thread::with(Thread::ensure_started);
        at_exit::watch_the_status();
    }
}

/// To be called when the program ends, after its exit handlers.
pub fn program_ends() {
    journal::checks_all();
    if at_exit::is_watched_process() {
        let untracked = Untracked::new();
        verdict::judge_held_back();
        if checks_nothing() {
            at_exit::checks_nothing();
        }
        drop(untracked);
        at_exit::end_program();
    }
}

/// Whether the program has another harness than libtest, and made no check by itself either. With
/// libtest, all tests may have been filtered out.
fn checks_nothing() -> bool {
    let mode = settings::of_process().map_or(Mode::On, |settings| settings.mode);
    let is_told = matches!(mode, Mode::On | Mode::Warn);
    let has_checks = HAS_CHECKED.load(Ordering::Relaxed) || journal::has_begun();
    is_told && !HAS_LIBTEST.load(Ordering::Relaxed) && !has_checks
}

/// Opens the region of a thread that libtest's main thread has started, before it runs.
pub(crate) fn thread_begins() {
    if PROGRAM.get().is_none() {
        return;
    }
    let _untracked = Untracked::new();
    let check = journal::begin_on_thread();
    let Some(region) = open() else { return };
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    if let Ok(region) = &region {
        clear_dead();
        note_panics();
        region.take_thread();
    }
    running().push(Test { number, region, name: None, _open: check });
    HERE.set(number);
}

/// The region of a test, or why it cannot be opened; none where checks are off.
fn open() -> Option<Result<Region, Unseen>> {
    let settings = match settings::of_process() {
        Ok(settings) => settings,
        Err(error) => return Some(Err(error.into())),
    };
    if settings.mode == Mode::Off {
        return None;
    }
    region::capture(settings.stacks);
    let region = Region::open_for_new_thread(settings.timeline);
    Some(region.map_err(|error| (&error).into()))
}

/// To be called when the start routine of the thread has returned: by now the thread has the name of
/// its test.
pub(crate) fn routine_is_over() {
    let number = HERE.get();
    if number == 0 {
        return;
    }
    let _untracked = Untracked::new();
    let name = std::thread::current().name().map(str::to_owned);
    if let Some(test) = running().iter_mut().find(|test| test.number == number) {
        test.name = name;
    }
}

/// To be called when the thread's thread-locals are destroyed.
pub(crate) fn thread_ends() {
    let number = HERE.replace(0);
    if number == 0 {
        return;
    }
    let _untracked = Untracked::new();
    // The verdict is about to reuse the test's stack, with its stale pointers.
    clear_dead();
    let (Some(test), Some(origin)) = (take(number), PROGRAM.get()) else { return };
    HAS_CHECKED.fetch_or(test.name.is_some(), Ordering::Relaxed);
    match (test.name, test.region) {
        (Some(name), Ok(region)) => verdict::judge(&region, origin(name), PANICKED.get()),
        (Some(name), Err(unseen)) => verdict::cannot_see(origin(name), unseen),
        (None, _) => at_exit::not_libtests(),
    }
}

/// Drops the check of the suite where the attribute is on this thread's test: the attribute's
/// arguments win.
pub(crate) fn step_aside(check: &Origin) {
    let number = HERE.get();
    if number == 0 || !check.is_of_attribute() {
        return;
    }
    let _untracked = Untracked::new();
    let thread = std::thread::current();
    let name = thread.name().unwrap_or_default();
    let own = check.display_name();
    let is_case = name.strip_prefix(&own).is_some_and(|rest| rest.starts_with("::"));
    if name != own && !is_case {
        return;
    }
    HERE.set(0);
    if let Some(test) = take(number) {
        thread::with(|thread| thread.set_region(0));
        drop(test.region);
    }
}

impl From<&Error> for Unseen {
    fn from(error: &Error) -> Self {
        Self { reason: error.reason(), problem: error.to_string() }
    }
}

fn take(number: u64) -> Option<Test> {
    let mut tests = running();
    let at = tests.iter().position(|test| test.number == number)?;
    Some(tests.swap_remove(at))
}

fn running() -> MutexGuard<'static, Vec<Test>> {
    RUNNING.lock()
}

/// Records whether something panics on a test's thread. The program's own panic hook still runs.
fn note_panics() {
    static NOTED: OnceLock<()> = OnceLock::new();
    NOTED.get_or_init(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICKED.set(true);
            before(panic);
        }));
    });
}
