//! Hooks of the functions that open and close file descriptors.
//!
//! They do not see what the C library opens internally, nor system calls that a program makes
//! directly.
//!
//! `open` and `fcntl` are variadic in C. On x86_64 and aarch64 Linux a variadic integer or pointer
//! is passed in the same register as a named parameter, so a hook can declare it as one and pass it
//! on, whether or not the caller supplied it.
//!
//! Canceling a thread unwinds from a real function through its hook. Such a forced unwind must not
//! pass destructors, so no value with a destructor may be alive during the call.

use std::ffi::{c_char, c_int, c_long, c_uint, c_void};
use std::ptr::null_mut;

use leakcheck_ledger::epoch;
use leakcheck_unwind::Registers;
use libc::{DIR, FILE, mode_t, sockaddr, socklen_t};

use crate::resources::calls_in_progress::OPENING;
use crate::resources::opened_fds::{closed, closing, closing_range, opened, replaced};
use crate::resources::process::keeping_errno;

/// Calls the real function and records the descriptor that it returns, or that `$to_fd` takes from
/// what it returns.
macro_rules! opening {
    ($call:expr) => {
        opening!($call, |fd| fd)
    };
    ($call:expr, |$result:ident| $to_fd:expr) => {{
        let is_counted = OPENING.begin();
        // SAFETY: the caller upholds the contract of the function, and the arguments are unchanged.
        let $result = unsafe { $call };
        opened($to_fd, &Registers::current());
        OPENING.end(is_counted);
        $result
    }};
}

/// Like `opening!`, for a call that may block and is therefore not counted as in progress.
macro_rules! blocking {
    ($call:expr) => {{
        // SAFETY: the caller upholds the contract of the function, and the arguments are unchanged.
        let fd = unsafe { $call };
        opened(fd, &Registers::current());
        fd
    }};
}

/// Calls the real function and records the two descriptors that it writes to `$pair`.
macro_rules! opening_two {
    ($call:expr, $pair:ident) => {{
        let is_counted = OPENING.begin();
        // SAFETY: the caller upholds the contract of the function, and the arguments are unchanged.
        let outcome = unsafe { $call };
        if outcome == 0 {
            // SAFETY: the call succeeded, so `pair` points to two descriptors.
            let [one, other] = unsafe { $pair.cast::<[c_int; 2]>().read_unaligned() };
            opened(one, &Registers::current());
            opened(other, &Registers::current());
        }
        OPENING.end(is_counted);
        outcome
    }};
}

/// Calls the real function, which duplicates a descriptor as number `$to`, replacing what is open
/// there.
macro_rules! replacing {
    ($call:expr, $to:ident) => {{
        let is_counted = OPENING.begin();
        let was_open = is_open($to);
        // SAFETY: the caller upholds the contract of the function, and the arguments are unchanged.
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

/// Calls the real `fcntl` and records the descriptor that it returns if `$command` duplicates one.
/// Other commands may block.
macro_rules! duplicating {
    ($call:expr, $command:ident) => {{
        if duplicates($command) {
            opening!($call)
        } else {
            // SAFETY: the caller upholds the contract of `fcntl`, and the arguments are unchanged.
            unsafe { $call }
        }
    }};
}

/// Calls the real function, which closes a descriptor, and forgets it.
macro_rules! closing {
    ($call:expr, $fd:expr) => {{
        let fd = $fd;
        let is_recorded = closing(fd);
        // SAFETY: the caller upholds the contract of the function, and the arguments are unchanged.
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
        |real| blocking!(real(fd, from, length))
    fn accept4(fd: c_int, from: *mut sockaddr, length: *mut socklen_t, flags: c_int) -> c_int, -1,
        |real| blocking!(real(fd, from, length, flags))

    fn pipe(pair: *mut c_int) -> c_int, -1, |real| opening_two!(real(pair), pair)
    fn pipe2(pair: *mut c_int, flags: c_int) -> c_int, -1, |real| opening_two!(real(pair, flags), pair)
    fn eventfd(count: c_uint, flags: c_int) -> c_int, -1, |real| opening!(real(count, flags))
    fn timerfd_create(clock: c_int, flags: c_int) -> c_int, -1, |real| opening!(real(clock, flags))
    fn signalfd(fd: c_int, mask: *const c_void, flags: c_int) -> c_int, -1, |real| {
        if fd >= 0 {
            // SAFETY: the caller upholds the contract of `signalfd`, and the arguments are
            // unchanged. The call changes an open descriptor and opens none.
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
    fn fcntl(fd: c_int, command: c_int, argument: c_long) -> c_int, -1,
        |real| duplicating!(real(fd, command, argument), command)
    fn fcntl64(fd: c_int, command: c_int, argument: c_long) -> c_int, -1,
        |real| duplicating!(real(fd, command, argument), command)

    fn fopen(path: Name, mode: Name) -> *mut FILE, null_mut(),
        |real| opening!(real(path, mode), |file| fd_of_stream(file))
    fn fopen64(path: Name, mode: Name) -> *mut FILE, null_mut(),
        |real| opening!(real(path, mode), |file| fd_of_stream(file))
    fn opendir(path: Name) -> *mut DIR, null_mut(),
        |real| opening!(real(path), |directory| fd_of_directory(directory))

    fn close(fd: c_int) -> c_int, -1, |real| closing!(real(fd), fd)
    fn fclose(file: *mut FILE) -> c_int, -1, |real| closing!(real(file), fd_of_stream(file))
    fn closedir(directory: *mut DIR) -> c_int, -1, |real| closing!(real(directory), fd_of_directory(directory))
    fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int, -1, |real| {
        if flags as c_uint & libc::CLOSE_RANGE_CLOEXEC == 0 {
            closing_range(first as usize, last as usize);
        }
        // SAFETY: the caller upholds the contract of the function, and the arguments are unchanged.
        unsafe { real(first, last, flags) }
    }
    fn closefrom(first: c_int) -> (), (), |real| {
        closing_range(first.max(0) as usize, usize::MAX);
        // SAFETY: the caller upholds the contract of the function, and the arguments are unchanged.
        unsafe { real(first) }
    }
}

fn duplicates(command: c_int) -> bool {
    command == libc::F_DUPFD || command == libc::F_DUPFD_CLOEXEC
}

/// Whether a descriptor is open. Not checked while no region is.
fn is_open(fd: c_int) -> bool {
    if !epoch::any_region_open() {
        return false;
    }
    let mut open = false;
    // SAFETY: `F_GETFD` takes no argument and accepts any number.
    keeping_errno(|| open = unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0);
    open
}

/// The descriptor of a stream, or -1 for a null pointer.
fn fd_of_stream(file: *mut FILE) -> c_int {
    let mut fd = -1;
    if !file.is_null() {
        // SAFETY: the stream comes from `fopen`, or from a caller of `fclose`, who must pass an
        // open one.
        keeping_errno(|| fd = unsafe { libc::fileno(file) });
    }
    fd
}

/// The descriptor of a directory stream, or -1 for a null pointer.
fn fd_of_directory(directory: *mut DIR) -> c_int {
    let mut fd = -1;
    if !directory.is_null() {
        // SAFETY: the stream comes from `opendir`, or from a caller of `closedir`, who must pass an
        // open one.
        keeping_errno(|| fd = unsafe { libc::dirfd(directory) });
    }
    fd
}
