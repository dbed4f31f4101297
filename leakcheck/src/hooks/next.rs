//! The next definition of an interposed function in the search order of the dynamic linker.

use std::ffi::{CStr, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use leakcheck_ledger::thread::Untracked;

/// The function that the dynamic linker would find if leakcheck did not define one of this name.
pub(crate) struct Next {
    name: &'static CStr,
    address: AtomicPtr<c_void>,
}

impl Next {
    /// # Panics
    ///
    /// In a constant, when `name` is not terminated by its only zero byte.
    pub(super) const fn new(name: &'static [u8]) -> Self {
        match CStr::from_bytes_with_nul(name) {
            Ok(name) => Self { name, address: AtomicPtr::new(null_mut()) },
            Err(_) => panic!("the name must be terminated by its only zero byte"),
        }
    }

    /// The address of the function, or null where the C library does not have it.
    pub(super) fn get(&self) -> *mut c_void {
        let known = self.address.load(Ordering::Acquire);
        if !known.is_null() {
            return known;
        }
        let _untracked = Untracked::new();
        // SAFETY: the name is a C string, and `RTLD_NEXT` is a valid handle.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
        self.address.store(found, Ordering::Release);
        found
    }

    pub(super) fn is_resolved(&self) -> bool {
        !self.address.load(Ordering::Acquire).is_null()
    }

    pub(super) fn name(&self) -> &'static CStr {
        self.name
    }
}
