//! The hook of `dlclose`.
//!
//! Other code may be loaded at the addresses of unloaded code. So cached rules are dropped, call
//! sites in the library are retired, and their names are looked up before it is gone.

use std::ffi::{c_int, c_void};
use std::ops::Range;
use std::ptr::null_mut;

use leakcheck_ledger::thread::Untracked;
use leakcheck_ledger::{call_site, epoch};
use leakcheck_symbols as symbols;
use leakcheck_unwind as unwind;

use crate::names::call_stack;

hooks! {
    fn dlclose(handle: *mut c_void) -> c_int, -1, |real| {
        let before = before_closing(handle);
        // Another thread may load code at the same addresses before this one drops rules
        // afterwards.
        forget_rules();
        // SAFETY: the caller upholds the contract of `dlclose`. The library's destructors run
        // tracked, because what they allocate is the program's.
        let outcome = unsafe { real(handle) };
        after_closing(before);
        outcome
    }
}

fn before_closing(handle: *mut c_void) -> Vec<Range<usize>> {
    let _untracked = Untracked::new();
    let loaded = loaded();
    #[cfg(tracks_handles)]
    crate::resources::keep_call_sites();
    // Names are looked up for reports, and without an open region there will be none.
    let start = if epoch::any_region_open() { start_of(handle) } else { None };
    for code in loaded.iter().filter(|code| Some(code.start) == start) {
        let sites = call_site::with_frames_in(code);
        symbols::keep(&sites.map(call_stack).collect::<Vec<_>>());
    }
    loaded
}

fn after_closing(mut gone: Vec<Range<usize>>) {
    let _untracked = Untracked::new();
    let still = loaded();
    gone.retain(|code| !still.contains(code));
    if gone.is_empty() {
        return;
    }
    for code in &gone {
        call_site::retire(code);
        symbols::forget(code);
    }
    forget_rules();
}

fn forget_rules() {
    unwind::forget_rules();
    epoch::advance();
}

/// The address ranges of the program and the loaded libraries.
fn loaded() -> Vec<Range<usize>> {
    unsafe extern "C" fn each(
        info: *mut libc::dl_phdr_info,
        _: usize,
        loaded: *mut c_void,
    ) -> c_int {
        // SAFETY: the dynamic linker passes a structure that is valid during the call.
        let info = unsafe { &*info };
        // SAFETY: the headers are mapped as long as the object is loaded, and the dynamic linker
        // unloads none during the call.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
        let segments = || headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
        let start = segments().map(|segment| segment.p_vaddr).min();
        let end = segments().map(|segment| segment.p_vaddr + segment.p_memsz).max();
        if let (Some(start), Some(end)) = (start, end) {
            let loaded_at = |address| (info.dlpi_addr + address) as usize;
            // SAFETY: `dl_iterate_phdr` passes on the pointer to the vector below, which nothing
            // else accesses meanwhile.
            unsafe { &mut *loaded.cast::<Vec<Range<usize>>>() }
                .push(loaded_at(start)..loaded_at(end));
        }
        0
    }
    #[cfg(table_unwinder)]
    let _linker = unwind::lock_linker();
    let mut loaded: Vec<Range<usize>> = Vec::new();
    // SAFETY: the callback expects the vector that it is passed, and does not unwind.
    unsafe { libc::dl_iterate_phdr(Some(each), (&raw mut loaded).cast()) };
    loaded
}

/// The address at which the library of a handle starts.
fn start_of(handle: *mut c_void) -> Option<usize> {
    /// The first field of `struct link_map`, to which every handle points.
    #[repr(C)]
    struct LinkMap {
        start: usize,
    }
    let mut map: *const LinkMap = null_mut();
    // SAFETY: the caller of `dlclose` must pass a handle of the dynamic linker, and `map` has room
    // for the pointer that `RTLD_DI_LINKMAP` asks for.
    let error = unsafe { libc::dlinfo(handle, libc::RTLD_DI_LINKMAP, (&raw mut map).cast()) };
    // SAFETY: the call succeeded, so the pointer is to a link map, which is valid as long as the
    // handle.
    (error == 0 && !map.is_null()).then(|| unsafe { (*map).start })
}
