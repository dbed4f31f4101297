//! Names for return addresses: looked up for reports only, each address once in a process.

use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr::without_provenance_mut;
use std::sync::{Arc, Mutex};

use super::frame::Frame;
use super::site::{self, SiteId};
use crate::thread::Quiet;

static NAMES: Mutex<Option<HashMap<usize, Arc<[Frame]>>>> = Mutex::new(None);

/// The frames of a call site, leaf first, inlined calls included.
pub(crate) fn frames(site: SiteId) -> Vec<Frame> {
    let _quiet = Quiet::new();
    let Some(site) = site::get(site) else { return Vec::new() };
    site.frames().flat_map(|address| frames_at(address).to_vec()).collect()
}

fn frames_at(address: usize) -> Arc<[Frame]> {
    let mut names = NAMES.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    names.get_or_insert_default().entry(address).or_insert_with(|| look_up(address)).clone()
}

fn look_up(address: usize) -> Arc<[Frame]> {
    let mut frames = Vec::new();
    backtrace::resolve(without_provenance_mut(address), |symbol| {
        let function = symbol.name().map(|name| format!("{name:#}"));
        frames.push(Frame::new(function, symbol.filename(), symbol.lineno()));
    });
    if frames.is_empty() {
        frames.push(Frame::default());
    }
    if frames.iter().all(|frame| frame.line.is_none()) {
        let module = module_of(address);
        for frame in &mut frames {
            (frame.module, frame.offset) = module.clone().unzip();
        }
    }
    frames.into()
}

/// The program or library that an address lies in, and where in it.
#[cfg(unix)]
fn module_of(address: usize) -> Option<(String, u64)> {
    use std::ffi::{CStr, OsStr};
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
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
    let name =
        Path::new(OsStr::from_bytes(path.to_bytes())).file_name()?.to_string_lossy().into_owned();
    Some((name, address.checked_sub(info.dli_fbase.addr())? as u64))
}

#[cfg(not(unix))]
fn module_of(_address: usize) -> Option<(String, u64)> {
    None
}
