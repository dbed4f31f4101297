//! Records who opens and closes file descriptors.
//!
//! Each hook calls the real function and records the outcome. What the C library opens and closes
//! within itself does not pass through here, nor do system calls that a program makes itself.
//!
//! `open` and `fcntl` are variadic in C. On x86_64 and aarch64 Linux a variadic integer or pointer
//! arrives in the same register as a named argument, so a hook can name it and pass it on, whether
//! the caller gave one or not. The cancellation of a thread may leave a real function: no value with
//! a destructor is alive meanwhile.

use std::ffi::{c_char, c_int, c_long, c_uint, c_void};

use libc::{DIR, FILE, mode_t, sockaddr, socklen_t};

use leakcheck_ledger::epoch;
use leakcheck_unwind::Registers;

use crate::resources::calls_in_progress::OPENING;
use crate::resources::opened_fds::{closed, closing, closing_range, opened, replaced};
use crate::resources::process::keeping_errno;

/// Calls the real function and records the descriptor that it returns.
macro_rules! opening {
    ($call:expr) => {{
        let is_counted = OPENING.begin();
        // SAFETY: the caller's promise, unchanged.
        let fd = unsafe { $call };
        opened(fd, &Registers::current());
        OPENING.end(is_counted);
        fd
    }};
}

/// As `opening`, for a call that may block.
macro_rules! waiting {
    ($call:expr) => {{
        // SAFETY: the caller's promise, unchanged.
        let fd = unsafe { $call };
        opened(fd, &Registers::current());
        fd
    }};
}

/// Calls the real function and records the two descriptors that it has put into a place of the caller's.
macro_rules! opening_two {
    ($call:expr, $place:ident) => {{
        let is_counted = OPENING.begin();
        // SAFETY: the caller's promise, unchanged.
        let outcome = unsafe { $call };
        if outcome == 0 {
            // SAFETY: without an error the function has written two descriptors there.
            let [one, other] = unsafe { $place.cast::<[c_int; 2]>().read_unaligned() };
            opened(one, &Registers::current());
            opened(other, &Registers::current());
        }
        OPENING.end(is_counted);
        outcome
    }};
}

/// Calls the real function, which gives one descriptor the number of another one that may be open.
macro_rules! replacing {
    ($call:expr, $to:ident) => {{
        let is_counted = OPENING.begin();
        let was_open = is_open($to);
        // SAFETY: the caller's promise, unchanged.
        let fd = unsafe { $call };
        if was_open && fd >= 0 {
            replaced(fd);
        } else {
            opened(fd, &Registers::current());
        }
        OPENING.end(is_counted);
        fd
    }};
}

/// Calls the real function, which closes a descriptor.
macro_rules! closing {
    ($call:expr, $fd:expr) => {{
        let fd = $fd;
        let is_recorded = closing(fd);
        // SAFETY: the caller's promise, unchanged.
        let outcome = unsafe { $call };
        if is_recorded {
            closed(fd);
        }
        outcome
    }};
}

type Name = *const c_char;
type Template = *mut c_char;

hooks! {
    fn open(path: Name, flags: c_int, mode: mode_t) -> c_int, -1, |real| opening!(real(path, flags, mode))
    fn open64(path: Name, flags: c_int, mode: mode_t) -> c_int, -1, |real| opening!(real(path, flags, mode))
    fn openat(at: c_int, path: Name, flags: c_int, mode: mode_t) -> c_int, -1,
        |real| opening!(real(at, path, flags, mode))
    fn openat64(at: c_int, path: Name, flags: c_int, mode: mode_t) -> c_int, -1,
        |real| opening!(real(at, path, flags, mode))
    fn __open_2(path: Name, flags: c_int) -> c_int, -1, |real| opening!(real(path, flags))
    fn __open64_2(path: Name, flags: c_int) -> c_int, -1, |real| opening!(real(path, flags))
    fn __openat_2(at: c_int, path: Name, flags: c_int) -> c_int, -1, |real| opening!(real(at, path, flags))
    fn __openat64_2(at: c_int, path: Name, flags: c_int) -> c_int, -1, |real| opening!(real(at, path, flags))
    fn creat(path: Name, mode: mode_t) -> c_int, -1, |real| opening!(real(path, mode))
    fn creat64(path: Name, mode: mode_t) -> c_int, -1, |real| opening!(real(path, mode))
    fn mkstemp(path: Template) -> c_int, -1, |real| opening!(real(path))
    fn mkstemp64(path: Template) -> c_int, -1, |real| opening!(real(path))
    fn mkostemp(path: Template, flags: c_int) -> c_int, -1, |real| opening!(real(path, flags))
    fn mkostemp64(path: Template, flags: c_int) -> c_int, -1, |real| opening!(real(path, flags))
    fn shm_open(name: Name, flags: c_int, mode: mode_t) -> c_int, -1, |real| opening!(real(name, flags, mode))
    fn memfd_create(name: Name, flags: c_uint) -> c_int, -1, |real| opening!(real(name, flags))
    fn posix_openpt(flags: c_int) -> c_int, -1, |real| opening!(real(flags))

    fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int, -1,
        |real| opening!(real(domain, kind, protocol))
    fn socketpair(domain: c_int, kind: c_int, protocol: c_int, pair: *mut c_int) -> c_int, -1,
        |real| opening_two!(real(domain, kind, protocol, pair), pair)
    fn accept(fd: c_int, from: *mut sockaddr, length: *mut socklen_t) -> c_int, -1,
        |real| waiting!(real(fd, from, length))
    fn accept4(fd: c_int, from: *mut sockaddr, length: *mut socklen_t, flags: c_int) -> c_int, -1,
        |real| waiting!(real(fd, from, length, flags))

    fn pipe(pair: *mut c_int) -> c_int, -1, |real| opening_two!(real(pair), pair)
    fn pipe2(pair: *mut c_int, flags: c_int) -> c_int, -1, |real| opening_two!(real(pair, flags), pair)
    fn eventfd(count: c_uint, flags: c_int) -> c_int, -1, |real| opening!(real(count, flags))
    fn timerfd_create(clock: c_int, flags: c_int) -> c_int, -1, |real| opening!(real(clock, flags))
    fn signalfd(fd: c_int, mask: *const c_void, flags: c_int) -> c_int, -1, |real| {
        if fd >= 0 {
            // SAFETY: the caller's promise, unchanged; it changes what is open already.
            return unsafe { real(fd, mask, flags) };
        }
        opening!(real(fd, mask, flags))
    }
    fn epoll_create(size: c_int) -> c_int, -1, |real| opening!(real(size))
    fn epoll_create1(flags: c_int) -> c_int, -1, |real| opening!(real(flags))
    fn inotify_init() -> c_int, -1, |real| opening!(real())
    fn inotify_init1(flags: c_int) -> c_int, -1, |real| opening!(real(flags))

    fn dup(fd: c_int) -> c_int, -1, |real| opening!(real(fd))
    fn dup2(fd: c_int, to: c_int) -> c_int, -1, |real| replacing!(real(fd, to), to)
    fn dup3(fd: c_int, to: c_int, flags: c_int) -> c_int, -1, |real| replacing!(real(fd, to, flags), to)
    fn fcntl(fd: c_int, command: c_int, argument: c_long) -> c_int, -1, |real| {
        let is_counted = opens_by_fcntl(command);
        // SAFETY: the caller's promise, unchanged.
        let outcome = unsafe { real(fd, command, argument) };
        opened_by_fcntl(command, outcome, &Registers::current());
        OPENING.end(is_counted);
        outcome
    }
    fn fcntl64(fd: c_int, command: c_int, argument: c_long) -> c_int, -1, |real| {
        let is_counted = opens_by_fcntl(command);
        // SAFETY: the caller's promise, unchanged.
        let outcome = unsafe { real(fd, command, argument) };
        opened_by_fcntl(command, outcome, &Registers::current());
        OPENING.end(is_counted);
        outcome
    }

    fn fopen(path: Name, mode: Name) -> *mut FILE, std::ptr::null_mut(), |real| {
        let is_counted = OPENING.begin();
        // SAFETY: the caller's promise, unchanged.
        let file = unsafe { real(path, mode) };
        opened(number_of_file(file), &Registers::current());
        OPENING.end(is_counted);
        file
    }
    fn fopen64(path: Name, mode: Name) -> *mut FILE, std::ptr::null_mut(), |real| {
        let is_counted = OPENING.begin();
        // SAFETY: the caller's promise, unchanged.
        let file = unsafe { real(path, mode) };
        opened(number_of_file(file), &Registers::current());
        OPENING.end(is_counted);
        file
    }
    fn opendir(path: Name) -> *mut DIR, std::ptr::null_mut(), |real| {
        let is_counted = OPENING.begin();
        // SAFETY: the caller's promise, unchanged.
        let directory = unsafe { real(path) };
        opened(number_of_directory(directory), &Registers::current());
        OPENING.end(is_counted);
        directory
    }

    fn close(fd: c_int) -> c_int, -1, |real| closing!(real(fd), fd)
    fn fclose(file: *mut FILE) -> c_int, -1, |real| closing!(real(file), number_of_file(file))
    fn closedir(directory: *mut DIR) -> c_int, -1, |real| closing!(real(directory), number_of_directory(directory))
    fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int, -1, |real| {
        if flags as c_uint & libc::CLOSE_RANGE_CLOEXEC == 0 {
            closing_range(first as usize, last as usize);
        }
        // SAFETY: the caller's promise, unchanged.
        unsafe { real(first, last, flags) }
    }
    fn closefrom(first: c_int) -> (), (), |real| {
        closing_range(first.max(0) as usize, usize::MAX);
        // SAFETY: the caller's promise, unchanged.
        unsafe { real(first) }
    }
}

fn duplicates(command: c_int) -> bool {
    command == libc::F_DUPFD || command == libc::F_DUPFD_CLOEXEC
}

/// Setting a lock may take as long as it likes.
fn opens_by_fcntl(command: c_int) -> bool {
    duplicates(command) && OPENING.begin()
}

fn opened_by_fcntl(command: c_int, outcome: c_int, from: &Registers) {
    if duplicates(command) {
        opened(outcome, from);
    }
}

/// Whether a descriptor is open, where that matters.
fn is_open(fd: c_int) -> bool {
    if !epoch::any_region_open() {
        return false;
    }
    let mut open = false;
    // SAFETY: asks for flags.
    keeping_errno(|| open = unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0);
    open
}

/// -1 where there is none.
fn number_of_file(file: *mut FILE) -> c_int {
    let mut number = -1;
    if !file.is_null() {
        // SAFETY: the caller of `fopen` or `fclose` has an open file.
        keeping_errno(|| number = unsafe { libc::fileno(file) });
    }
    number
}

/// -1 where there is none.
fn number_of_directory(directory: *mut DIR) -> c_int {
    let mut number = -1;
    if !directory.is_null() {
        // SAFETY: the caller of `opendir` or `closedir` has an open directory.
        keeping_errno(|| number = unsafe { libc::dirfd(directory) });
    }
    number
}
