//! The program or library that contains an address.

use std::path::PathBuf;

/// The location of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModuleAddress {
    /// The file of the program or library.
    pub(crate) path: PathBuf,
    /// The address at which the file is loaded.
    pub(crate) base: usize,
    /// The distance of the address from `base`.
    pub(crate) offset: u64,
}

impl ModuleAddress {
    /// The file name.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// Finds the program or library that contains an address.
#[cfg(unix)]
pub(crate) fn at(address: usize) -> Option<ModuleAddress> {
    use std::ffi::{CStr, OsStr, c_void};
    use std::mem::MaybeUninit;
    use std::os::unix::ffi::OsStrExt;
    use std::ptr::without_provenance_mut;

    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: `dladdr` accepts any address, and `info` has room for its result.
    let found =
        unsafe { libc::dladdr(without_provenance_mut::<c_void>(address), info.as_mut_ptr()) };
    // SAFETY: `info` was zeroed, which is a value of a structure of pointers, and `dladdr` may have
    // filled it in.
    let info = unsafe { info.assume_init() };
    if found == 0 || info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: the name is a C string that lives as long as the module is loaded.
    let path = unsafe { CStr::from_ptr(info.dli_fname) };
    let base = info.dli_fbase.addr();
    Some(ModuleAddress {
        path: PathBuf::from(OsStr::from_bytes(path.to_bytes())),
        base,
        offset: address.checked_sub(base)? as u64,
    })
}

#[cfg(not(unix))]
pub(crate) fn at(_address: usize) -> Option<ModuleAddress> {
    None
}
