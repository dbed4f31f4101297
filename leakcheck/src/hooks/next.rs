//! The next definition of a function: the C library's own, behind leakcheck's.

use std::ffi::{CStr, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use leakcheck_ledger::thread::Untracked;

/// The definition that the dynamic linker would find if leakcheck's were not there.
pub(super) struct Next {
    name: &'static CStr,
    found: AtomicPtr<c_void>,
}

impl Next {
    /// The name ends with a zero.
    pub(super) const fn new(name: &'static [u8]) -> Self {
        match CStr::from_bytes_with_nul(name) {
            Ok(name) => Self { name, found: AtomicPtr::new(null_mut()) },
            Err(_) => panic!("a name ends with a zero"),
        }
    }

    /// Null where there is none.
    pub(super) fn find(&self) -> *mut c_void {
        let mut found = self.found.load(Ordering::Acquire);
        if found.is_null() {
            let _untracked = Untracked::new();
            // SAFETY: the name is a C string.
            found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
            self.found.store(found, Ordering::Release);
        }
        found
    }
}
