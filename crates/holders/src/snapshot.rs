//! A snapshot of the process: a child that has its memory as it is at this moment, looks through it
//! and tells what it found.
//!
//! The child is made by the kernel's `clone` and not by `fork`: `fork` would run the handlers that
//! the program has registered, take locks of the C library for them, and in the parent give way to
//! other forks. With no signal for its end, the child is nobody's business but ours: the program is
//! told of no child, and its `wait` does not get it. All signals are blocked in it, so that no
//! handler of the program runs there; it allocates from nobody, takes no lock, and leaves by
//! `_exit`. The parent ends it when it has stopped working.

use std::time::{Duration, Instant};

use crate::answer::{self, Answer};
use crate::budget::{Budget, Exhausted, ms_on};
use crate::reach::{Graph, SnapshotQuery};
use crate::roots::Roots;
use crate::{StartChild, threads};

/// How much processor time the child may take. Three million blocks take up to 40 seconds in a
/// build without optimisation.
const MAX_WORK: Duration = Duration::from_secs(120);
/// How long the parent waits for a child that gets no processor time at all. What the child may
/// take is not measured by the clock, so that a busy machine makes no difference.
const MAX_STALL: Duration = Duration::from_secs(120);

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The kernel makes no child.
    Clone,
    Memory,
    Time,
    /// The child has come to an end by a fault.
    Crash,
}

/// Takes a snapshot and asks it.
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

/// The child's work.
fn answer_query(
    roots: &Roots,
    query: &SnapshotQuery<'_>,
    answer: &Answer,
) -> Result<(), Exhausted> {
    let mut graph = Graph::new(roots, query, Budget::new(MAX_WORK.as_millis() as u64))?;
    // The second readings of the stack pointers come soon.
    let now = || ms_on(libc::CLOCK_MONOTONIC);
    let deadline = now() + 200;
    while roots.threads.len() > 1 && answer.later_stack_pointer(0).is_none() && now() < deadline {
        // SAFETY: gives way to others.
        unsafe { libc::sched_yield() };
    }
    graph.reach(answer)?;
    let components = graph.classify_lost()?;
    graph.write_groups(&components, answer)?;
    Ok(())
}

/// Runs `work` in a child. `None` where there is none to be had.
fn clone(start_child: StartChild, work: impl FnOnce()) -> Option<libc::pid_t> {
    let before = block_signals();
    let child = start_child(&mut || {
        // SAFETY: without flags, all memory of the child is its own and it goes on with the stack
        // as it is. It runs nothing but `work`, which does not return from here.
        unsafe { libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0) as libc::pid_t }
    });
    if child == 0 {
        // A child whose parent is gone has nobody to tell, and its memory is not for a core file.
        for (setting, value) in
            [(libc::PR_SET_PDEATHSIG, libc::SIGKILL), (libc::PR_SET_DUMPABLE, 0)]
        {
            // SAFETY: a setting of this process.
            unsafe { libc::prctl(setting, value) };
        }
        work();
        // SAFETY: ends the process, and nothing else of it runs.
        unsafe { libc::syscall(libc::SYS_exit_group, 0) };
    }
    set_signals(before);
    (child > 0).then_some(child)
}

/// The kernel's set of signals, of which glibc's has more.
type Signals = u64;

/// Blocks all signals of this thread, those of the C library too, and returns which were.
fn block_signals() -> Signals {
    let mut before: Signals = 0;
    change_signals(Signals::MAX, &mut before);
    before
}

fn set_signals(signals: Signals) {
    change_signals(signals, &mut 0);
}

fn change_signals(signals: Signals, before: &mut Signals) {
    // SAFETY: both point to sets of the size that is given.
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
    /// By the parent, because it had stopped working.
    Killed,
}

/// Waits for the child to end, and kills it when it has stalled.
fn wait(child: libc::pid_t, answer: &Answer) -> End {
    let clock = cpu_clock_of(child);
    let mut worked = 0;
    let mut stalled_since = Instant::now();
    loop {
        let mut status = 0;
        // SAFETY: the status is written there. A child without a signal for its end is only waited
        // for where all kinds are.
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
            // SAFETY: the child was not waited for yet, so that the number is still its own.
            unsafe { libc::kill(child, libc::SIGKILL) };
            // SAFETY: the status is written to a variable of this function.
            unsafe { libc::waitpid(child, &mut status, libc::__WALL) };
            return End::Killed;
        }
        let pause = libc::timespec { tv_sec: 0, tv_nsec: 2_000_000 };
        // SAFETY: waits as long as the state is what it was, or for the time given.
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

/// The clock of a process's own time.
fn cpu_clock_of(process: libc::pid_t) -> Option<libc::clockid_t> {
    let mut clock = 0;
    // SAFETY: the clock's number is written to a variable of this function.
    let result = unsafe { libc::clock_getcpuclockid(process, &raw mut clock) };
    (result == 0).then_some(clock)
}

fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
