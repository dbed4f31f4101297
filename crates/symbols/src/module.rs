//! The program and the libraries that addresses lie in.

use std::path::PathBuf;

/// Where an address lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file of the program or library.
    pub(crate) path: PathBuf,
    /// Where the file begins in memory.
    pub(crate) base: usize,
    /// The address, in bytes from there.
    pub(crate) offset: u64,
}

impl Place {
    /// The file name.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// The program or library that an address lies in.
#[cfg(unix)]
pub(crate) fn at(address: usize) -> Option<Place> {
    use std::ffi::{CStr, OsStr, c_void};
    use std::mem::MaybeUninit;
    use std::os::unix::ffi::OsStrExt;
    use std::ptr::without_provenance_mut;

    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: `dladdr` reads its tables only and fills `info`, for any address.
    let found =
        unsafe { libc::dladdr(without_provenance_mut::<c_void>(address), info.as_mut_ptr()) };
    // SAFETY: `info` was zeroed, which is a value of a struct of pointers, and perhaps filled.
    let info = unsafe { info.assume_init() };
    if found == 0 || info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: the name is a C string that lives as long as the module is loaded.
    let path = unsafe { CStr::from_ptr(info.dli_fname) };
    let base = info.dli_fbase.addr();
    Some(Place {
        path: PathBuf::from(OsStr::from_bytes(path.to_bytes())),
        base,
        offset: address.checked_sub(base)? as u64,
    })
}

#[cfg(not(unix))]
pub(crate) fn at(_address: usize) -> Option<Place> {
    None
}
