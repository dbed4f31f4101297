//! Notices code that is unloaded.
//!
//! Other code may come to its addresses: cached rules for them are forgotten, the call sites in it
//! are retired, and their names are looked up while they can be.

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
        // Before as well as after: another thread may load something to the same addresses at once.
        forget_rules();
        // SAFETY: the caller's promise, unchanged. What the library's destructors allocate is the program's.
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
    // Nobody will report what no region is open for.
    let begin = if epoch::any_region_open() { begin_of(handle) } else { None };
    for code in loaded.iter().filter(|code| Some(code.start) == begin) {
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

/// Where the programs and libraries lie that are loaded now.
fn loaded() -> Vec<Range<usize>> {
    unsafe extern "C" fn each(
        info: *mut libc::dl_phdr_info,
        _: usize,
        loaded: *mut c_void,
    ) -> c_int {
        // SAFETY: the dynamic linker gives a structure that lives during the call.
        let info = unsafe { &*info };
        // SAFETY: the program headers of a loaded object stay in place during the call.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
        let parts = || headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
        let start = parts().map(|part| part.p_vaddr).min();
        let end = parts().map(|part| part.p_vaddr + part.p_memsz).max();
        if let (Some(start), Some(end)) = (start, end) {
            let place = |address| (info.dlpi_addr + address) as usize;
            // SAFETY: the caller below gives a vector of these.
            unsafe { &mut *loaded.cast::<Vec<Range<usize>>>() }.push(place(start)..place(end));
        }
        0
    }
    #[cfg(table_unwinder)]
    let _linker = unwind::lock_linker();
    let mut loaded: Vec<Range<usize>> = Vec::new();
    // SAFETY: the callback takes what it is given here, and does not unwind.
    unsafe { libc::dl_iterate_phdr(Some(each), (&raw mut loaded).cast()) };
    loaded
}

/// Where the library of a handle begins.
fn begin_of(handle: *mut c_void) -> Option<usize> {
    /// The beginning of `struct link_map`, which every handle points to.
    #[repr(C)]
    struct LinkMap {
        begin: usize,
    }
    let mut map: *const LinkMap = null_mut();
    // SAFETY: the dynamic linker fills in a pointer for a handle of its own, which the caller of `dlclose`
    // promises it is.
    let error = unsafe { libc::dlinfo(handle, libc::RTLD_DI_LINKMAP, (&raw mut map).cast()) };
    // SAFETY: without an error it points to a link map, which lives as long as the handle.
    (error == 0 && !map.is_null()).then(|| unsafe { (*map).begin })
}
