//! Locates the unwind tables of loaded programs and libraries.

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

/// `_dl_find_object` of glibc 2.35 and newer. It is lock-free and async-signal-safe.
type FindObject = unsafe extern "C" fn(*mut c_void, *mut Found) -> c_int;

static FIND_OBJECT: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

/// Looks up glibc's function on the first call. Returns whether it exists.
pub(super) fn prepare() -> bool {
    if FIND_OBJECT.load(Ordering::Acquire).is_null() {
        // SAFETY: the name is a C string, and `dlsym` accepts any name.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_dl_find_object".as_ptr()) };
        FIND_OBJECT.store(found, Ordering::Release);
    }
    !FIND_OBJECT.load(Ordering::Acquire).is_null()
}

/// Returns the index of unwind tables (`.eh_frame_hdr`) of the object that contains an address. The
/// slice extends to the end of the object.
pub(super) fn eh_frame_hdr(address: usize) -> Option<&'static [u8]> {
    let find = FIND_OBJECT.load(Ordering::Acquire);
    // SAFETY: an optional function pointer has the layout of a pointer, with null as `None`. Any
    // other value is glibc's function, which has this type.
    let find = unsafe { transmute::<*mut c_void, Option<FindObject>>(find) }?;
    let mut found = MaybeUninit::<Found>::uninit();
    // SAFETY: glibc accepts any address and writes at most one structure.
    let error = unsafe { find(without_provenance_mut(address), found.as_mut_ptr()) };
    if error != 0 {
        return None;
    }
    // SAFETY: glibc returned 0, so it has filled the structure.
    let found = unsafe { found.assume_init() };
    let (start, end) = (found.eh_frame_hdr.cast::<u8>(), found.map_end.cast::<u8>());
    if start.is_null() || end.addr() <= start.addr() {
        return None;
    }
    // SAFETY: the index is in the object's mapping, which exists as long as code of the object is
    // on the stack. The callers only read the slice while that code is on this thread's stack.
    Some(unsafe { std::slice::from_raw_parts(start, end.addr() - start.addr()) })
}

/// Returns how many objects were unloaded since the process started.
pub(super) fn unload_count() -> u64 {
    unsafe extern "C" fn first(
        info: *mut libc::dl_phdr_info,
        _: usize,
        subs: *mut c_void,
    ) -> c_int {
        // SAFETY: the dynamic linker passes a structure that is valid during the call.
        let count = unsafe { (*info).dlpi_subs };
        // SAFETY: `dl_iterate_phdr` below passes on a pointer to a `u64` that outlives the call.
        unsafe { *subs.cast::<u64>() = count };
        // The count is the same for every object, so the iteration stops.
        1
    }
    let mut subs = 0_u64;
    // SAFETY: the callback has the required signature, does not unwind, and expects a pointer to a
    // `u64`.
    unsafe { libc::dl_iterate_phdr(Some(first), (&raw mut subs).cast()) };
    subs
}
