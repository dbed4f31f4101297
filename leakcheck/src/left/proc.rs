//! What the system tells of this process.

use std::ffi::{CStr, c_int};
use std::mem::MaybeUninit;

/// The names in a directory that are numbers, without that of the descriptor that reads it. `None` where there is no
/// such directory.
pub(super) fn numbers_in(directory: &CStr) -> Option<Vec<c_int>> {
    // SAFETY: the path is a C string.
    let stream = unsafe { libc::opendir(directory.as_ptr()) };
    if stream.is_null() {
        return None;
    }
    // SAFETY: the stream is open until it is closed below.
    let own = unsafe { libc::dirfd(stream) };
    let mut numbers = Vec::new();
    loop {
        // SAFETY: the stream is open, and this thread's alone.
        let entry = unsafe { libc::readdir(stream) };
        if entry.is_null() {
            break;
        }
        // SAFETY: the entry is there until the next one is read.
        let entry = unsafe { &*entry };
        // SAFETY: its name is a C string.
        let name = unsafe { CStr::from_ptr(entry.d_name.as_ptr()) };
        let number: Option<c_int> = name.to_str().ok().and_then(|name| name.parse().ok());
        numbers.extend(number.filter(|number| *number != own));
    }
    // SAFETY: it was opened above, and nobody reads it any more.
    unsafe { libc::closedir(stream) };
    Some(numbers)
}

/// How many descriptors the process may have.
pub(super) fn most_fds() -> u64 {
    let mut limit = MaybeUninit::<libc::rlimit>::uninit();
    // SAFETY: the kernel writes a whole structure there.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, limit.as_mut_ptr()) } != 0 {
        return u64::MAX;
    }
    // SAFETY: without an error it was written.
    let limit = unsafe { limit.assume_init() };
    #[allow(clippy::useless_conversion, reason = "it is shorter on some systems")]
    limit.rlim_cur.into()
}

/// How a descriptor may be used: for reading, for writing, or for both.
pub(super) fn access(fd: c_int) -> Option<c_int> {
    // SAFETY: asks for flags.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    (flags >= 0).then_some(flags & libc::O_ACCMODE)
}
