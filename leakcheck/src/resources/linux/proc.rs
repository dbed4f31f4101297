//! What the system reports about this process.

use std::ffi::{CStr, c_char, c_int};
use std::io;
use std::mem::MaybeUninit;
use std::path::Path;

use leakcheck_system::spare_fd;

/// Reads a file, with the spare descriptor if no other is free.
pub(super) fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    spare_fd::with(|| std::fs::read(&path))
}

/// The numeric names in a directory, except that of the descriptor that reads it.
///
/// # Errors
///
/// Returns an error where the directory cannot be read.
pub(super) fn numbers_in(directory: &CStr) -> io::Result<Vec<c_int>> {
    spare_fd::with(|| numbers_once(directory))
}

fn numbers_once(directory: &CStr) -> io::Result<Vec<c_int>> {
    // SAFETY: a `CStr` is terminated.
    let stream = unsafe { libc::opendir(directory.as_ptr()) };
    if stream.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the stream is open until `closedir` below.
    let own = unsafe { libc::dirfd(stream) };
    // SAFETY: the function has no preconditions.
    let errno = unsafe { libc::__errno_location() };
    let mut numbers = Ok(Vec::new());
    while let Ok(known) = &mut numbers {
        // SAFETY: the pointer is valid for the life of the calling thread, which alone accesses it.
        unsafe { errno.write(0) };
        // SAFETY: the stream is open, and no other thread knows it.
        let entry = unsafe { libc::readdir(stream) };
        if entry.is_null() {
            let error = io::Error::last_os_error();
            if error.raw_os_error() != Some(0) {
                numbers = Err(error);
            }
            break;
        }
        // SAFETY: a non-null entry is valid until the next call of `readdir` on this stream.
        let entry = unsafe { &*entry };
        known.extend(number(&entry.d_name).filter(|number| *number != own));
    }
    // SAFETY: the stream is open and not used again, and no entry of it is borrowed.
    unsafe { libc::closedir(stream) };
    numbers
}

/// Why something is not known: a file or directory that cannot be read.
pub(super) fn unreadable(path: &str, error: &io::Error) -> String {
    format!("`{path}` cannot be read ({error}); run it where `/proc` can be read")
}

/// Whether an error says that a thread or process has ended.
pub(super) fn has_ended(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

/// A field after the name in the status of a process or thread: the state, the parent and so on.
pub(super) fn status_field(status: &[u8], index: usize) -> Option<String> {
    // The name is in parentheses and may contain any byte.
    let status = String::from_utf8_lossy(status);
    let (_, rest) = status.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(index).map(str::to_owned)
}

/// Parses a name as a number. Written as a plain loop because it runs for every descriptor of the
/// process, often in an unoptimized build.
fn number(name: &[c_char]) -> Option<c_int> {
    let mut number: c_int = 0;
    let mut at = 0;
    while name[at] != 0 {
        let digit = (name[at] as u8).wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number.wrapping_mul(10).wrapping_add(c_int::from(digit));
        at += 1;
    }
    Some(number)
}

/// The number of descriptors that the process may open.
pub(super) fn max_fds() -> u64 {
    let mut limit = MaybeUninit::<libc::rlimit>::uninit();
    // SAFETY: `limit` has room for the structure.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, limit.as_mut_ptr()) } != 0 {
        return u64::MAX;
    }
    // SAFETY: `getrlimit` succeeded, so it has filled in the structure.
    let limit = unsafe { limit.assume_init() };
    #[allow(clippy::useless_conversion, reason = "the type is narrower on some systems")]
    limit.rlim_cur.into()
}

/// The access mode of a descriptor: reading, writing, or both.
pub(super) fn access_mode(fd: c_int) -> Option<c_int> {
    // SAFETY: `F_GETFL` takes no argument and accepts any number.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    (flags >= 0).then_some(flags & libc::O_ACCMODE)
}
