//! The C library's definition of a function that this crate has put one of its own in front of.

use std::ffi::{CStr, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::thread::Quiet;

/// Where a function's next definition is: the one that the dynamic linker would find if ours were not there.
pub(crate) struct Next {
    name: &'static CStr,
    found: AtomicPtr<c_void>,
}

impl Next {
    pub(crate) const fn new(name: &'static CStr) -> Self {
        Self { name, found: AtomicPtr::new(null_mut()) }
    }

    /// The name ends with a zero.
    #[cfg(noted)]
    pub(crate) const fn of_bytes(name: &'static [u8]) -> Self {
        match CStr::from_bytes_with_nul(name) {
            Ok(name) => Self::new(name),
            Err(_) => panic!("a name ends with a zero"),
        }
    }

    /// Null where there is none.
    pub(crate) fn find(&self) -> *mut c_void {
        let mut found = self.found.load(Ordering::Acquire);
        if found.is_null() {
            let _quiet = Quiet::new();
            // SAFETY: the name is a C string.
            found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
            self.found.store(found, Ordering::Release);
        }
        found
    }
}
