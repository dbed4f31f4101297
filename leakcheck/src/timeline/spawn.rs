//! Starts the recorder's thread.

/// Starts the thread, which never ends.
///
/// By the system's own function and not by the standard library's, which hands on the buffer that
/// libtest captures a test's output in, for as long as the thread lives. Signals are blocked in it:
/// the program's handlers run on the program's threads.
///
/// # Errors
///
/// In words, when there is no thread to be had.
#[cfg(unix)]
pub(super) fn spawn() -> Result<(), String> {
    use std::io;
    use std::mem::MaybeUninit;
    use std::ptr::{null, null_mut};

    let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    // SAFETY: writes a set of signals there.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: the first set was written above, and the second is written here.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
    let mut thread = MaybeUninit::uninit();
    // SAFETY: the thread's number is written there; no attributes are the default ones, and `begin`
    // takes any argument.
    let error = unsafe { libc::pthread_create(thread.as_mut_ptr(), null(), begin, null_mut()) };
    // SAFETY: the set was written above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), null_mut()) };
    if error != 0 {
        let error = io::Error::from_raw_os_error(error);
        return Err(format!("a thread for it cannot be started: {error}"));
    }
    // SAFETY: there is a thread, whose number was written above.
    let thread = unsafe { thread.assume_init() };
    // SAFETY: nobody has joined or detached it yet.
    unsafe { libc::pthread_detach(thread) };
    Ok(())
}

#[cfg(unix)]
extern "C" fn begin(_: *mut std::ffi::c_void) -> *mut std::ffi::c_void {
    #[cfg(target_os = "linux")]
    // SAFETY: a name of this thread, of up to 15 bytes and a zero.
    unsafe {
        libc::prctl(libc::PR_SET_NAME, c"leakcheck".as_ptr())
    };
    super::recorder::run()
}

/// Starts the thread, which never ends.
///
/// # Errors
///
/// In words, when there is no thread to be had.
#[cfg(not(unix))]
pub(super) fn spawn() -> Result<(), String> {
    let thread = std::thread::Builder::new().name("leakcheck".to_owned());
    match thread.spawn::<_, ()>(|| super::recorder::run()) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("a thread for it cannot be started: {error}")),
    }
}
