//! Reruns a failing test in a process of its own, in which all live blocks are listed from the
//! start.
//!
//! A reference path leads through blocks that are older than the test, so all blocks have to be
//! known, and a passing test has not listed them. The rerun runs that one test, takes a snapshot
//! when its check comes to its verdict, and writes what it found to a file that an environment
//! variable names. Its other output is discarded.

mod handoff;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use leakcheck_ledger::live;
use leakcheck_ledger::thread::Untracked;
use leakcheck_symbols::variables::{has_bytes, has_function};
use leakcheck_system::fork::ForkMutex;

use crate::report::{CallSite, Frame, Holder};

/// The least time that a test gets, and the most; in between, several times what it took.
const LEAST: Duration = Duration::from_secs(20);
const MOST: Duration = Duration::from_secs(120);
const TIMES: u32 = 10;
/// When so much time went to running tests again, the others are not.
const MOST_IN_ALL: Duration = Duration::from_secs(30);
/// Caps for a body that repeats itself: who holds what it leaks shows after few calls.
const FEW: [(&str, &str); 2] = [("LEAK_ITERATIONS_MAX", "255"), ("LEAK_ITERATIONS_SECONDS", "1")];

/// What the second run found, by the frames of call sites.
type Found = Vec<(Vec<Frame>, Holder)>;

/// The file to write to, in a process that runs a test again.
pub(crate) fn handoff() -> Option<PathBuf> {
    env::var_os(live::RERUN.to_str().unwrap_or_default()).map(PathBuf::from)
}

/// Which check a second run is about.
const NAME: &str = "LEAKCHECK_HOLDERS_OF_CHECK";

/// Whether this is the check that the process was started for.
pub(crate) fn is_about(check: &str) -> bool {
    env::var_os(NAME).is_none_or(|name| name == *check)
}

/// Reruns the test of the calling thread, or the one of that name, and returns what keeps the
/// blocks of these call sites alive, by their indices.
///
/// # Errors
///
/// In words, when there is no answer.
pub(crate) fn run_again(
    check: &str,
    test: Option<&str>,
    took: Duration,
    call_sites: &[CallSite],
) -> Result<Vec<(usize, Holder)>, String> {
    let _untracked = Untracked::new();
    let found = run(check, test, took)?;
    let of = |frames: &[Frame]| {
        call_sites.iter().position(|site| handoff::read_the_same(&site.frames, frames))
    };
    let holders: Vec<(usize, Holder)> =
        found.into_iter().filter_map(|(frames, holder)| Some((of(&frames)?, holder))).collect();
    if holders.is_empty() {
        return Err("not reproduced: the rerun of this test on its own leaked elsewhere".to_owned());
    }
    Ok(holders)
}

/// Writes what was found for the process that started this rerun.
pub(crate) fn send(path: &Path, call_sites: &[CallSite]) {
    let of = |site: &CallSite| {
        let frames = site.frames.clone();
        site.holders.clone().into_iter().map(move |holder| (frames.clone(), holder))
    };
    let found: Vec<_> = call_sites.iter().flat_map(of).collect();
    // The process that waits for it reports that there is nothing.
    _ = handoff::write(path, &found);
}

/// Runs the test of the calling thread again, or the one by that name, where the thread is at its
/// end and knows no name of its own. `took` is how long it took the first time.
///
/// # Errors
///
/// In words, when nothing was found.
fn run(check: &str, test: Option<&str>, took: Duration) -> Result<Found, String> {
    static SPENT: ForkMutex<Duration> = ForkMutex::new(15, Duration::ZERO);
    let (test, on_main) =
        known_as(check, test).ok_or("only tests that libtest runs can be run again for it")?;
    let program = env::current_exe().map_err(|error| format!("the program is gone: {error}"))?;
    // One at a time: what else runs has a claim to the processors too.
    let mut spent = SPENT.lock();
    if *spent > MOST_IN_ALL {
        return Err("too many tests had to be run again for it".to_owned());
    }
    let start = Instant::now();
    let handoff = HandoffFile::new();
    let mut command = Command::new(&program);
    command
        .args([&test, "--exact", "--include-ignored"])
        .args(["--test-threads", if on_main { "1" } else { "2" }])
        .env(NAME, check);
    let outcome = run_bounded(command, &handoff.0, (TIMES * took).clamp(LEAST, MOST));
    *spent += start.elapsed();
    outcome?;
    handoff::read(&handoff.0).ok_or_else(|| {
        "not reproduced: when the test was run again by itself, it did not leak".to_owned()
    })
}

/// A path that no other run writes to; what is there goes with it.
struct HandoffFile(PathBuf);

impl HandoffFile {
    fn new() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("leakcheck-holders-{}-{number}", std::process::id());
        Self(env::temp_dir().join(name))
    }
}

impl Drop for HandoffFile {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.0);
    }
}

fn run_bounded(mut command: Command, handoff: &Path, most: Duration) -> Result<(), String> {
    command
        .env(live::RERUN.to_str().unwrap_or_default(), handoff)
        .envs(FEW)
        .env_remove("LEAK_HOLDERS")
        .env_remove("LEAK_RECORD")
        .env_remove("LEAK_TIMELINE")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let start = Instant::now();
    let failed = |error| format!("the program cannot be run again: {error}");
    let mut child = command.spawn().map_err(failed)?;
    let mut pause = Duration::from_millis(2);
    while child.try_wait().map_err(failed)?.is_none() {
        if start.elapsed() > most {
            _ = child.kill();
            _ = child.wait();
            return Err(format!("the test, run again, was not done in {} s", most.as_secs()));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
    Ok(())
}

/// The name by which libtest knows the test, where libtest runs it, and whether that is on the main
/// thread, where it has to run again.
fn known_as(check: &str, test: Option<&str>) -> Option<(String, bool)> {
    // A thread that is over has no handle of itself.
    let thread = test.is_none().then(std::thread::current);
    let name = test.or_else(|| thread.as_ref()?.name());
    let on_main = name == Some("main");
    if let Ok(name) = env::var("NEXTEST_TEST_NAME") {
        return Some((name, on_main));
    }
    if !is_libtest() {
        return None;
    }
    Some((if on_main { check.to_owned() } else { name?.to_owned() }, on_main))
}

/// Whether the program is one of libtest's: others do with arguments what they like.
fn is_libtest() -> bool {
    let program = env::current_exe().unwrap_or_default();
    has_function(&program, b"test_main_static").unwrap_or_else(|| {
        // In one piece, the name would be found here.
        has_bytes(&program, ["RUST_TEST_", "SHUFFLE_SEED"].concat().as_bytes())
    })
}
