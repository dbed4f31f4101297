//! Reruns a failing test in a thorough process, on request.
//!
//! The rerun runs one test, takes a snapshot at its verdict, and writes the holders to the file
//! that an environment variable names. Its other output is discarded.

#[allow(unsafe_code, reason = "waits for a process, and kills it")]
mod group;
mod handoff;
#[allow(unsafe_code, reason = "runs before `main`, and asks the kernel to end this process")]
mod role;

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use leakcheck_ledger::thread::Untracked;
use leakcheck_symbols::variables::{has_bytes, has_function};
use leakcheck_system::fork::ForkMutex;

use group::Group;
pub(crate) use role::role;

use crate::report::{CallSite, Holder};

/// A rerun is stopped after this multiple of the test's own time, within the two bounds below.
const TIME_FACTOR: u32 = 10;
const MIN_TIME: Duration = Duration::from_secs(20);
const MAX_TIME: Duration = Duration::from_secs(120);
/// No further test is rerun once reruns have taken this long together.
const MAX_TOTAL_TIME: Duration = Duration::from_secs(30);
/// Limits for a repeated body, whose holders are known after few iterations.
const ITERATION_LIMITS: [(&str, &str); 2] =
    [("LEAK_ITERATIONS_MAX", "255"), ("LEAK_ITERATIONS_SECONDS", "1")];

/// The holders that a rerun found, with the keys of their call sites.
type RerunHolders = Vec<(String, Holder)>;

/// Reruns a test and returns the holders of the given call sites, with the indices of the sites.
///
/// `test` is libtest's name of the test; without it, the calling thread must be the test's.
///
/// # Errors
///
/// Returns the reason why no holders were found, as text for the report.
pub(crate) fn rerun(
    check: &str,
    test: Option<&str>,
    took: Duration,
    call_sites: &[CallSite],
) -> Result<Vec<(usize, Holder)>, String> {
    let _untracked = Untracked::new();
    let found = run(check, test, took)?;
    let keys: Vec<String> = call_sites.iter().map(|site| handoff::key(&site.frames)).collect();
    let holders: Vec<(usize, Holder)> = found
        .into_iter()
        .filter_map(|(key, holder)| Some((keys.iter().position(|known| *known == key)?, holder)))
        .collect();
    if holders.is_empty() {
        return Err("not reproduced: the rerun of this test on its own leaked at other call sites"
            .to_owned());
    }
    Ok(holders)
}

/// Reruns a test that took `took` the first time.
///
/// # Errors
///
/// Returns the reason why no holders were found, as text for the report.
fn run(check: &str, test: Option<&str>, took: Duration) -> Result<RerunHolders, String> {
    static TOTAL_TIME: ForkMutex<Duration> = ForkMutex::new(15, Duration::ZERO);
    let (test, on_main) =
        known_as(check, test).ok_or("only tests that libtest runs can be rerun")?;
    let program = env::current_exe()
        .map_err(|error| format!("the path of the test program is unknown: {error}"))?;
    // Only one rerun at a time, because other tests need the processors too.
    let mut total_time = TOTAL_TIME.lock();
    if *total_time > MAX_TOTAL_TIME {
        return Err("reruns of other tests have taken too long".to_owned());
    }
    let start = Instant::now();
    let handoff = HandoffFile::new();
    let mut command = Command::new(&program);
    command
        .args([&test, "--exact", "--include-ignored"])
        .args(["--test-threads", if on_main { "1" } else { "2" }]);
    role::assign(&mut command, &handoff.0, check);
    let outcome = run_bounded(command, (TIME_FACTOR * took).clamp(MIN_TIME, MAX_TIME));
    *total_time += start.elapsed();
    outcome?;
    handoff::read(&handoff.0)
        .ok_or_else(|| "not reproduced: the rerun of this test on its own did not leak".to_owned())
}

/// The path of a file for one rerun, which is removed on drop.
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

/// Runs a process in a process group of its own, all of which is killed in the end.
fn run_bounded(mut command: Command, limit: Duration) -> Result<(), String> {
    command
        .envs(ITERATION_LIMITS)
        .env_remove("LEAK_HOLDERS")
        .env_remove("LEAK_RECORD")
        .env_remove("LEAK_TIMELINE")
        .env_remove(leakcheck_report::journal::VARIABLE)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let start = Instant::now();
    let group = Group::spawn(&mut command)
        .map_err(|error| format!("the test program cannot be rerun: {error}"))?;
    let mut pause = Duration::from_millis(2);
    while !group.has_ended() {
        if start.elapsed() > limit {
            return Err(format!("the rerun of this test did not end within {} s", limit.as_secs()));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
    Ok(())
}

/// libtest's name of the test and whether it runs on the main thread, where the rerun must run it
/// too. `None` if libtest does not run it.
fn known_as(check: &str, test: Option<&str>) -> Option<(String, bool)> {
    // The handle of a thread is not available while the thread ends.
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

/// Whether the program is a libtest program. Others may give its arguments another meaning.
fn is_libtest() -> bool {
    let program = env::current_exe().unwrap_or_default();
    has_function(&program, b"test_main_static").unwrap_or_else(|| {
        // A literal of the whole name would be found in every program that contains leakcheck.
        has_bytes(&program, ["RUST_TEST_", "SHUFFLE_SEED"].concat().as_bytes())
    })
}
