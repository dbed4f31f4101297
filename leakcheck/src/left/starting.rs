//! Follows child processes: functions of our own stand before those of the C library that start them.
//!
//! As in [`opening`](super::opening). `vfork` is not among them: its child returns from it first, and a function
//! that stands in between would be left twice by one call. Children that it starts are found, without their place.

use std::ffi::{c_char, c_int, c_void};
use std::mem::transmute;
use std::ptr::null_mut;

use libc::{pid_t, posix_spawn_file_actions_t, posix_spawnattr_t};

use super::child_started::started;
use super::under_way::STARTING;
use crate::interposed::Next;
use crate::stack::unwind::Registers;

type Fork = unsafe extern "C" fn() -> pid_t;
type Spawn = unsafe extern "C" fn(
    *mut pid_t,
    *const c_char,
    *const posix_spawn_file_actions_t,
    *const posix_spawnattr_t,
    *const *mut c_char,
    *const *mut c_char,
) -> c_int;

static FORK: Next = Next::new(c"fork");
static SPAWN: Next = Next::new(c"posix_spawn");
static SPAWN_BY_PATH: Next = Next::new(c"posix_spawnp");

/// Keep the definitions in the program, though no Rust code names them.
#[used]
static KEEP_FORK: Fork = fork;
#[used]
static KEEP_SPAWN: Spawn = posix_spawn;
#[used]
static KEEP_SPAWN_BY_PATH: Spawn = posix_spawnp;

/// # Safety
///
/// As for the C library's `fork`.
#[unsafe(no_mangle)]
unsafe extern "C" fn fork() -> pid_t {
    // SAFETY: the next definition of `fork` is the C library's, which has this type; null becomes `None`.
    let real = unsafe { transmute::<*mut c_void, Option<Fork>>(FORK.find()) };
    let Some(real) = real else { return -1 };
    let watched = STARTING.begins();
    // SAFETY: the caller's promise.
    let pid = unsafe { real() };
    if pid != 0 {
        started(pid, &Registers::here());
        STARTING.ends(watched);
    }
    pid
}

/// # Safety
///
/// As for the C library's `posix_spawn`.
#[unsafe(no_mangle)]
unsafe extern "C" fn posix_spawn(
    pid: *mut pid_t,
    path: *const c_char,
    actions: *const posix_spawn_file_actions_t,
    attributes: *const posix_spawnattr_t,
    arguments: *const *mut c_char,
    environment: *const *mut c_char,
) -> c_int {
    // SAFETY: the caller's promise.
    let spawn = |child: &mut pid_t| unsafe {
        spawn(&SPAWN, child, path, actions, attributes, arguments, environment)
    };
    // SAFETY: the caller's place for it.
    unsafe { spawned(pid, spawn) }
}

/// # Safety
///
/// As for the C library's `posix_spawnp`.
#[unsafe(no_mangle)]
unsafe extern "C" fn posix_spawnp(
    pid: *mut pid_t,
    name: *const c_char,
    actions: *const posix_spawn_file_actions_t,
    attributes: *const posix_spawnattr_t,
    arguments: *const *mut c_char,
    environment: *const *mut c_char,
) -> c_int {
    // SAFETY: the caller's promise.
    let spawn = |child: &mut pid_t| unsafe {
        spawn(&SPAWN_BY_PATH, child, name, actions, attributes, arguments, environment)
    };
    // SAFETY: the caller's place for it.
    unsafe { spawned(pid, spawn) }
}

/// Starts a child and notes it, whether or not the caller wants to know its id.
///
/// # Safety
///
/// `pid` must be null or have room for an id.
#[inline(always)]
unsafe fn spawned(pid: *mut pid_t, spawn: impl FnOnce(&mut pid_t) -> c_int) -> c_int {
    let mut child = 0;
    let watched = STARTING.begins();
    let error = spawn(&mut child);
    started(child, &Registers::here());
    STARTING.ends(watched);
    if error == 0 && !pid.is_null() {
        // SAFETY: the caller's promise.
        unsafe { pid.write(child) };
    }
    error
}

/// Calls the real function. The child is 0 where there is none.
///
/// # Safety
///
/// As for the C library's `posix_spawn`.
unsafe fn spawn(
    real: &Next,
    child: &mut pid_t,
    path: *const c_char,
    actions: *const posix_spawn_file_actions_t,
    attributes: *const posix_spawnattr_t,
    arguments: *const *mut c_char,
    environment: *const *mut c_char,
) -> c_int {
    // SAFETY: the next definition of either function is the C library's, which has this type; null becomes `None`.
    let real = unsafe { transmute::<*mut c_void, Option<Spawn>>(real.find()) };
    let Some(real) = real else { return libc::ENOSYS };
    // SAFETY: the caller's promise, with a place of our own for the child.
    let error = unsafe { real(child, path, actions, attributes, arguments, environment) };
    if error != 0 {
        *child = 0;
    }
    error
}

/// Finds the real functions, before `main` and before anyone could be in the handler of a signal.
#[used]
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = find_all;

extern "C" fn find_all() {
    for next in [&FORK, &SPAWN, &SPAWN_BY_PATH] {
        debug_assert_ne!(next.find(), null_mut());
    }
}
