//! What the system reports about this process.

use std::ffi::{CStr, c_char, c_int};
use std::mem::MaybeUninit;

/// The numeric names in a directory, except that of the descriptor that reads it. `None` where the
/// directory cannot be opened.
pub(super) fn numbers_in(directory: &CStr) -> Option<Vec<c_int>> {
    // SAFETY: a `CStr` is terminated.
    let stream = unsafe { libc::opendir(directory.as_ptr()) };
    if stream.is_null() {
        return None;
    }
    // SAFETY: the stream is open until `closedir` below.
    let own = unsafe { libc::dirfd(stream) };
    let mut numbers = Vec::new();
    loop {
        // SAFETY: the stream is open, and no other thread knows it.
        let entry = unsafe { libc::readdir(stream) };
        if entry.is_null() {
            break;
        }
        // SAFETY: a non-null entry is valid until the next call of `readdir` on this stream.
        let entry = unsafe { &*entry };
        if let Some(number) = number(&entry.d_name)
            && number != own
        {
            numbers.push(number);
        }
    }
    // SAFETY: the stream is open and not used again, and no entry of it is borrowed.
    unsafe { libc::closedir(stream) };
    Some(numbers)
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
