//! A file descriptor in reserve, so that leakcheck can read `/proc` and write a report after the
//! program has used up all others.
//!
//! It is a low number, because a program may lower its limit later. It is closed when a program is
//! executed. A program may close it without knowing it, and use its number, so it is identified
//! before each use.

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use crate::fork::ForkMutex;

/// No descriptor is kept.
const NONE: c_int = -1;

/// The descriptor. It refers to the root directory and cannot be read or written.
static SPARE: AtomicI32 = AtomicI32::new(NONE);
static DEVICE: AtomicU64 = AtomicU64::new(0);
static INODE: AtomicU64 = AtomicU64::new(0);

/// Held while the descriptor is opened or closed. Nothing is locked inside.
static CHANGING: ForkMutex<()> = ForkMutex::new(70, ());

const FLAGS: c_int = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;

/// Opens the descriptor, unless it is open.
pub fn keep() {
    if number().is_none() {
        let _changing = CHANGING.lock();
        open();
    }
}

/// The number of the descriptor, if it is open. It belongs to no test.
pub fn number() -> Option<c_int> {
    let fd = SPARE.load(Ordering::Acquire);
    (fd != NONE && is_spare(fd)).then_some(fd)
}

/// Calls `access`, which opens a file. If no descriptor is free, it is called again with the spare
/// one closed meanwhile. It must not fork.
///
/// # Errors
///
/// Returns the error of the last call.
pub fn with<T>(mut access: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    match access() {
        Err(error) if is_exhausted(&error) => without_spare(access).unwrap_or(Err(error)),
        outcome => outcome,
    }
}

/// Calls `access`, which opens one file after another, with at least one descriptor free, if need
/// be the spare one. It must not fork.
pub fn with_one_free<T>(access: impl FnOnce() -> T) -> T {
    let mut access = Some(access);
    let mut call = || access.take().map(|access| access());
    let outcome = if is_one_free() { None } else { without_spare(&mut call).flatten() };
    outcome.or_else(call).expect("it is called once")
}

/// Calls `access` with the spare descriptor closed meanwhile. Returns `None`, without a call, if the
/// descriptor is not there.
fn without_spare<T>(access: impl FnOnce() -> T) -> Option<T> {
    let _changing = CHANGING.lock();
    let fd = number()?;
    // SAFETY: the number is the spare descriptor's, which nothing else uses.
    unsafe { libc::syscall(libc::SYS_close, fd) };
    SPARE.store(NONE, Ordering::Release);
    let outcome = access();
    open();
    Some(outcome)
}

/// Whether an error says that the process, or the system, has no free descriptor.
pub fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

fn open() {
    if number().is_some() {
        return;
    }
    let fd = open_root().unwrap_or(NONE);
    // The root directory may become another one later.
    let [device, inode] = identity(fd).unwrap_or_default();
    DEVICE.store(device, Ordering::Release);
    INODE.store(inode, Ordering::Release);
    SPARE.store(fd, Ordering::Release);
}

fn is_one_free() -> bool {
    match open_root() {
        Ok(fd) => {
            // SAFETY: the descriptor was opened here and is known to nothing else.
            unsafe { libc::syscall(libc::SYS_close, fd) };
            true
        }
        Err(error) => !is_exhausted(&error),
    }
}

/// Hooks are bypassed: they would record the descriptor.
fn open_root() -> io::Result<c_int> {
    let path = c"/".as_ptr();
    // SAFETY: the path is a C string, and the flags need no mode.
    let fd = unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path, FLAGS) };
    if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(fd as c_int) }
}

/// Whether the descriptor with this number is still the one that was opened here.
fn is_spare(fd: c_int) -> bool {
    // SAFETY: `F_GETFL` takes no argument and accepts any number.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    let known = [DEVICE.load(Ordering::Acquire), INODE.load(Ordering::Acquire)];
    flags >= 0 && flags & libc::O_PATH != 0 && identity(fd) == Some(known)
}

/// The device and the inode of an open file.
fn identity(fd: c_int) -> Option<[u64; 2]> {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `status` has room for the structure, and `fstat` accepts any number.
    if unsafe { libc::fstat(fd, status.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: `fstat` succeeded, so it has filled in the structure.
    let status = unsafe { status.assume_init() };
    #[allow(clippy::useless_conversion, reason = "the types are narrower on some systems")]
    Some([status.st_dev.into(), status.st_ino.into()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsRawFd;

    fn exhausted<T>() -> io::Result<T> {
        Err(io::Error::from_raw_os_error(libc::EMFILE))
    }

    /// One test, because there is one descriptor in the process.
    #[test]
    fn the_spare_descriptor_is_free_only_while_it_is_needed() {
        keep();
        let fd = number().expect("it is open");
        keep();
        assert_eq!(number(), Some(fd));

        let mut calls = 0;
        let outcome: io::Result<()> = with(|| {
            calls += 1;
            Err(io::ErrorKind::NotFound.into())
        });
        assert_eq!((outcome.unwrap_err().kind(), calls), (io::ErrorKind::NotFound, 1));

        let mut freed = Vec::new();
        let outcome = with(|| {
            freed.push(number().is_none());
            if freed.len() == 1 { exhausted() } else { Ok(()) }
        });
        assert!(outcome.is_ok());
        assert_eq!(freed, [false, true]);

        let fd = number().expect("it was opened again");
        // A program that closes all descriptors, and opens others.
        // SAFETY: nothing else uses the descriptor.
        unsafe { libc::close(fd) };
        assert_eq!(number(), None);
        let file = File::open("/proc/self/maps").expect("the file can be opened");
        let outcome: io::Result<()> = with(exhausted);
        assert!(outcome.is_err());
        assert!(file.metadata().is_ok(), "{} is not the spare one", file.as_raw_fd());
        keep();
        assert!(number().is_some());
        assert!(with_one_free(|| number().is_some()), "others are free");
    }
}
