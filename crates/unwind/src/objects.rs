//! Where the unwind tables of loaded programs and libraries are.

use std::ffi::{c_int, c_void};
use std::mem::{MaybeUninit, transmute};
use std::ptr::{null_mut, without_provenance_mut};
use std::sync::atomic::{AtomicPtr, Ordering};

/// `struct dl_find_object` of glibc on x86_64 and aarch64.
#[repr(C)]
struct Found {
    flags: u64,
    map_start: *mut c_void,
    map_end: *mut c_void,
    link_map: *mut c_void,
    eh_frame_hdr: *mut c_void,
    reserved: [u64; 7],
}

/// glibc 2.35 and newer: lock-free, and safe in signal handlers.
type FindObject = unsafe extern "C" fn(*mut c_void, *mut Found) -> c_int;

static FIND_OBJECT: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

/// Looks for glibc's function, once. Whether it is there.
pub(super) fn prepare() -> bool {
    if FIND_OBJECT.load(Ordering::Acquire).is_null() {
        // SAFETY: the name is a C string.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_dl_find_object".as_ptr()) };
        FIND_OBJECT.store(found, Ordering::Release);
    }
    !FIND_OBJECT.load(Ordering::Acquire).is_null()
}

/// The index of unwind tables (`.eh_frame_hdr`) of the object that an address lies in, from its
/// start to the end of the object.
pub(super) fn eh_frame_hdr(address: usize) -> Option<&'static [u8]> {
    let find = FIND_OBJECT.load(Ordering::Acquire);
    // SAFETY: `find` is null, which becomes `None`, or glibc's function, which has this type.
    let find = unsafe { transmute::<*mut c_void, Option<FindObject>>(find) }?;
    let mut found = MaybeUninit::<Found>::uninit();
    // SAFETY: glibc fills the structure, for any address, or returns something else than 0.
    let error = unsafe { find(without_provenance_mut(address), found.as_mut_ptr()) };
    if error != 0 {
        return None;
    }
    // SAFETY: glibc filled it.
    let found = unsafe { found.assume_init() };
    let (start, end) = (found.eh_frame_hdr.cast::<u8>(), found.map_end.cast::<u8>());
    if start.is_null() || end.addr() <= start.addr() {
        return None;
    }
    // SAFETY: the index lies in the object's mapping, which stays as long as code in it is on the
    // stack. What is read of it is read while this thread runs that code.
    Some(unsafe { std::slice::from_raw_parts(start, end.addr() - start.addr()) })
}

/// How many objects were unloaded since the process began.
pub(super) fn unloaded() -> u64 {
    unsafe extern "C" fn first(
        info: *mut libc::dl_phdr_info,
        _: usize,
        subs: *mut c_void,
    ) -> c_int {
        // SAFETY: the dynamic linker gives a structure that lives during the call.
        let count = unsafe { (*info).dlpi_subs };
        // SAFETY: the caller below gives a `u64`.
        unsafe { *subs.cast::<u64>() = count };
        // One call tells: the figure is the whole process's.
        1
    }
    let mut subs = 0_u64;
    // SAFETY: the callback takes what it is given here.
    unsafe { libc::dl_iterate_phdr(Some(first), (&raw mut subs).cast()) };
    subs
}
