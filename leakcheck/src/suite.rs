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
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::origin::Origin;
use crate::region::Region;
use crate::settings::{self, Mode};
use crate::stack;
use crate::thread::{self, Quiet};

/// Makes the origin of a test of the program from its name.
type OriginOf = fn(String) -> Origin;

/// What `check_all!` has said of this program; nothing where it was not written.
static PROGRAM: OnceLock<OriginOf> = OnceLock::new();

/// The tests under way.
static UNDER_WAY: Mutex<Vec<Test>> = Mutex::new(Vec::new());

/// A test under way.
struct Test {
    number: u64,
    region: Region,
    /// Known when the start routine has returned.
    name: Option<String>,
}

thread_local! {
    /// The number of the test that this thread runs, 0 for none.
    static HERE: Cell<u64> = const { Cell::new(0) };
    static PANICKED: Cell<bool> = const { Cell::new(false) };
}

/// From here on every test is checked. Runs before `main`.
pub fn check_all(origin: OriginOf) {
    if PROGRAM.set(origin).is_ok() {
        at_exit::watch_the_status();
    }
}

/// The program ends, and all its exit handlers are over.
pub fn program_ends() {
    at_exit::settle_accounts();
}

/// A thread that libtest's main thread has started is about to run. Opens its region.
pub(crate) fn thread_begins() {
    if PROGRAM.get().is_none() {
        return;
    }
    let _quiet = Quiet::new();
    match open() {
        Ok(Some(region)) => {
            note_panics();
            static NUMBER: Mutex<u64> = Mutex::new(0);
            let number = {
                let mut number = NUMBER.lock().unwrap_or_else(PoisonError::into_inner);
                *number += 1;
                *number
            };
            region.take_thread();
            under_way().push(Test { number, region, name: None });
            HERE.set(number);
        }
        Ok(None) => {}
        Err(problem) => {
            at_exit::cannot_see(problem);
        }
    }
}

fn open() -> Result<Option<Region>, String> {
    let settings = settings::of_process().map_err(ToString::to_string)?;
    if settings.mode == Mode::Off {
        return Ok(None);
    }
    stack::set_mode(settings.stacks);
    Region::open_for_new_thread().map(Some).map_err(|error| error.to_string())
}

/// The start routine of the thread has returned: the thread's name is the test's.
pub(crate) fn routine_is_over() {
    let number = HERE.get();
    if number == 0 {
        return;
    }
    let _quiet = Quiet::new();
    let name = std::thread::current().name().map(str::to_owned);
    if let Some(test) = under_way().iter_mut().find(|test| test.number == number) {
        test.name = name;
    }
}

/// The thread ends: its thread-locals are gone.
pub(crate) fn thread_ends() {
    let number = HERE.replace(0);
    if number == 0 {
        return;
    }
    let _quiet = Quiet::new();
    let (Some(test), Some(origin)) = (take(number), PROGRAM.get()) else { return };
    match test.name {
        Some(name) => {
            verdict::pass(&test.region, origin(name), PANICKED.get());
        }
        None => at_exit::not_libtests(),
    }
}

/// The attribute is on a function that this thread's test is: its own words hold, and the check of
/// the suite makes room for it.
pub(crate) fn step_aside(check: &Origin) {
    let number = HERE.get();
    if number == 0 || !check.is_of_attribute() {
        return;
    }
    let _quiet = Quiet::new();
    let thread = std::thread::current();
    let name = thread.name().unwrap_or_default();
    let own = check.display_name();
    let is_case = name.strip_prefix(&own).is_some_and(|rest| rest.starts_with("::"));
    if name != own && !is_case {
        return;
    }
    HERE.set(0);
    if let Some(test) = take(number) {
        thread::with(|thread| {
            thread.leave();
            thread.region.set(0);
        });
        drop(test.region);
    }
}

fn take(number: u64) -> Option<Test> {
    let mut tests = under_way();
    let at = tests.iter().position(|test| test.number == number)?;
    Some(tests.swap_remove(at))
}

fn under_way() -> MutexGuard<'static, Vec<Test>> {
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sees to it that a test's thread knows whether something panicked on it. What the program's hook does
/// stays as it is.
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
