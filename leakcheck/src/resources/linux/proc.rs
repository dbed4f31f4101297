//! What the system tells of this process.

use std::ffi::{CStr, c_char, c_int};
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
        if let Some(number) = number(&entry.d_name)
            && number != own
        {
            numbers.push(number);
        }
    }
    // SAFETY: it was opened above, and nobody reads it any more.
    unsafe { libc::closedir(stream) };
    Some(numbers)
}

/// A name as a number, where it is one. Step by step, as this is done for every descriptor of the process, often in a build
/// without optimisation.
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
