//! Starting the recorder's thread.

/// Starts the thread, which never ends.
///
/// The standard library's function would make the thread keep the buffer in which libtest captures
/// a test's output, so this calls `pthread_create`. Signals are blocked in the thread so that the
/// program's handlers run on the program's threads.
///
/// # Errors
///
/// Returns the error of the operating system as text.
#[cfg(unix)]
pub(super) fn spawn() -> Result<(), String> {
    use std::io;
    use std::mem::MaybeUninit;
    use std::ptr::{null, null_mut};

    let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    // SAFETY: `all` has room for a signal set.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: `sigfillset` has initialized `all`, and `before` has room for a signal set.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
    let mut thread = MaybeUninit::uninit();
    // SAFETY: `thread` has room for the identifier, null attributes mean the defaults, and `begin`
    // accepts any argument.
    let error = unsafe { libc::pthread_create(thread.as_mut_ptr(), null(), begin, null_mut()) };
    // SAFETY: the first call of `pthread_sigmask` has initialized `before`.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), null_mut()) };
    if error != 0 {
        let error = io::Error::from_raw_os_error(error);
        return Err(format!("cannot start a thread: {error}"));
    }
    // SAFETY: `pthread_create` succeeded, so it has written the identifier.
    let thread = unsafe { thread.assume_init() };
    // SAFETY: the thread was created joinable and has been neither joined nor detached.
    unsafe { libc::pthread_detach(thread) };
    Ok(())
}

#[cfg(unix)]
extern "C" fn begin(_: *mut std::ffi::c_void) -> *mut std::ffi::c_void {
    #[cfg(target_os = "linux")]
    // SAFETY: the name is a C string of at most 15 bytes.
    unsafe {
        libc::prctl(libc::PR_SET_NAME, c"leakcheck".as_ptr())
    };
    super::recorder::run()
}

/// Starts the thread, which never ends.
///
/// # Errors
///
/// Returns the error of the operating system as text.
#[cfg(not(unix))]
pub(super) fn spawn() -> Result<(), String> {
    let thread = std::thread::Builder::new().name("leakcheck".to_owned());
    match thread.spawn::<_, ()>(|| super::recorder::run()) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("cannot start a thread: {error}")),
    }
}
