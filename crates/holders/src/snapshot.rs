//! A snapshot of the process: a child that has a copy of its memory, searches it, and returns an
//! answer in shared memory.
//!
//! The child is created by the `clone` system call. `fork` would run the program's fork handlers
//! and take locks of the C library. The child sends no signal when it exits, so the program does
//! not notice it and its `wait` does not return it. All signals are blocked in the child, so no
//! handler of the program runs there. It allocates only from the kernel, takes no lock, and exits
//! without running exit handlers. The parent kills it if it stalls.

use std::time::{Duration, Instant};

use crate::answer::{self, Answer};
use crate::budget::{Budget, Exhausted, ms_on};
use crate::reach::{Graph, SnapshotQuery};
use crate::roots::Roots;
use crate::{StartChild, threads};

/// The limit on the child's processor time. Three million blocks take up to 40 seconds in an
/// unoptimized build.
const MAX_WORK: Duration = Duration::from_secs(120);
/// How long the child may go without processor time before the parent kills it.
///
/// Work is limited by processor time rather than by the clock, so that a busy machine does not
/// affect the result.
const MAX_STALL: Duration = Duration::from_secs(120);

/// The reason why a snapshot has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The threads and their stacks are not known.
    Unreadable(threads::Unreadable),
    /// The kernel refused to create a process.
    Clone,
    Memory,
    Time,
    /// The child crashed.
    Crash,
}

/// Takes a snapshot and returns its answer.
pub(crate) fn ask(
    roots: &Roots,
    query: &SnapshotQuery<'_>,
    start_child: StartChild,
) -> Result<Answer, Failure> {
    let answer = Answer::new().ok_or(Failure::Memory)?;
    let child = clone(start_child, || {
        let state = match answer_query(roots, query, &answer) {
            Ok(()) => answer::DONE,
            Err(Exhausted::Memory) => answer::NO_MEMORY,
            Err(Exhausted::Time) => answer::NO_TIME,
        };
        answer.set_state(state);
    })
    .ok_or(Failure::Clone)?;
    for (index, thread) in roots.threads.iter().enumerate().skip(1) {
        answer.set_later_stack_pointer(index, threads::stack_pointer_of(thread.tid));
    }
    answer.finish_second_reading();
    let end = wait(child, &answer);
    match answer.state() {
        answer::DONE => Ok(answer),
        answer::NO_MEMORY => Err(Failure::Memory),
        answer::NO_TIME => Err(Failure::Time),
        _ => match end {
            End::Killed => Err(Failure::Time),
            End::Exited => Err(Failure::Crash),
        },
    }
}

/// Searches the snapshot. Runs in the child.
fn answer_query(
    roots: &Roots,
    query: &SnapshotQuery<'_>,
    answer: &Answer,
) -> Result<(), Exhausted> {
    let mut graph = Graph::new(roots, query, Budget::new(MAX_WORK.as_millis() as u64))?;
    // The parent reads the stack pointers a second time right after the snapshot.
    let now = || ms_on(libc::CLOCK_MONOTONIC);
    let deadline = now() + 200;
    while roots.threads.len() > 1 && answer.later_stack_pointer(0).is_none() && now() < deadline {
        // SAFETY: `sched_yield` has no preconditions.
        unsafe { libc::sched_yield() };
    }
    graph.reach(answer)?;
    let components = graph.classify_lost()?;
    graph.write_groups(&components, answer)?;
    Ok(())
}

/// Runs `work` in a child process, or returns `None` if there can be none.
fn clone(start_child: StartChild, work: impl FnOnce()) -> Option<libc::pid_t> {
    let before = block_signals();
    let child = start_child(&mut || {
        // SAFETY: without flags the child has a copy of all memory and continues on a copy of this
        // stack. It runs only `work` and exits below, so nothing of the program runs twice.
        unsafe { libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0) as libc::pid_t }
    });
    if child == 0 {
        // Ends the child with its parent, which alone reads the answer, and keeps the program's
        // memory out of core files.
        for (setting, value) in
            [(libc::PR_SET_PDEATHSIG, libc::SIGKILL), (libc::PR_SET_DUMPABLE, 0)]
        {
            // SAFETY: both settings take an integer and affect only this process.
            unsafe { libc::prctl(setting, value) };
        }
        work();
        // SAFETY: ending the child skips no cleanup that the program relies on, because its memory
        // is a copy.
        unsafe { libc::syscall(libc::SYS_exit_group, 0) };
    }
    set_signals(before);
    (child > 0).then_some(child)
}

/// A signal set as the kernel defines it. The C library's type is larger.
type Signals = u64;

/// Blocks all signals of the calling thread, including those that the C library reserves, and
/// returns the previous set.
fn block_signals() -> Signals {
    let mut before: Signals = 0;
    change_signals(Signals::MAX, &mut before);
    before
}

fn set_signals(signals: Signals) {
    change_signals(signals, &mut 0);
}

fn change_signals(signals: Signals, before: &mut Signals) {
    // SAFETY: both pointers are to sets of the size that is passed.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const signals,
            &raw mut *before,
            size_of::<Signals>(),
        )
    };
}

/// How the child ended.
enum End {
    Exited,
    /// The parent killed it because it stalled.
    Killed,
}

/// Waits for the child to exit, and kills it if it stalls.
fn wait(child: libc::pid_t, answer: &Answer) -> End {
    let clock = cpu_clock_of(child);
    let mut worked = 0;
    let mut stalled_since = Instant::now();
    loop {
        let mut status = 0;
        // SAFETY: `status` outlives the call. `__WALL` is needed to wait for a child that sends no
        // signal when it exits.
        let ended = unsafe { libc::waitpid(child, &mut status, libc::__WALL | libc::WNOHANG) };
        if ended == child || (ended < 0 && errno() != libc::EINTR) {
            return End::Exited;
        }
        let works = clock.map_or(0, ms_on);
        if works > worked {
            worked = works;
            stalled_since = Instant::now();
        }
        if stalled_since.elapsed() > MAX_STALL {
            // SAFETY: the child has not been waited for, so its id has not been reused.
            unsafe { libc::kill(child, libc::SIGKILL) };
            // SAFETY: `status` outlives the call.
            unsafe { libc::waitpid(child, &mut status, libc::__WALL) };
            return End::Killed;
        }
        let pause = libc::timespec { tv_sec: 0, tv_nsec: 2_000_000 };
        // SAFETY: the futex word is mapped as long as `answer` exists, and `pause` outlives the
        // call.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                answer.futex(),
                libc::FUTEX_WAIT,
                answer::WORKING,
                &raw const pause,
            )
        };
        if answer.state() != answer::WORKING {
            std::thread::yield_now();
        }
    }
}

/// The clock that measures the processor time of a process.
fn cpu_clock_of(process: libc::pid_t) -> Option<libc::clockid_t> {
    let mut clock = 0;
    // SAFETY: `clock` outlives the call.
    let result = unsafe { libc::clock_getcpuclockid(process, &raw mut clock) };
    (result == 0).then_some(clock)
}

fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
