//! Forks: a child has one thread, and nobody in it unlocks what other threads held.
//!
//! The locks of this crate are taken before a fork and given back after it on both sides, as the C
//! library does it for its own.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::stack::{symbols, unwind};
use crate::{allow, gate, ledger::account, timeline};

/// All locks, in the order in which they are taken.
struct Held {
    _gate: gate::Held,
    _allowances: allow::Held,
    _accounts: account::Held,
    _names: symbols::Held,
    _unwind: unwind::Held,
    _timeline: timeline::Held,
}

struct Place(UnsafeCell<Option<Held>>);

// SAFETY: only the three handlers below touch it, which the C library runs one fork at a time, on
// the thread that forks.
unsafe impl Sync for Place {}

static PLACE: Place = Place(UnsafeCell::new(None));

/// Sees to it that a check can be made in the child of a fork, from before `main` on: had the first region
/// to do it, another thread could fork in between, and its child find a lock taken for ever.
#[cfg(target_os = "linux")]
#[used]
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = prepare;

/// Sees to it that a check can be made in the child of a fork. To be called when a region opens.
pub(crate) extern "C" fn prepare() {
    static PREPARED: AtomicBool = AtomicBool::new(false);
    if !PREPARED.swap(true, Ordering::Relaxed) {
        // SAFETY: the handlers take no arguments and may run at any fork from now on.
        unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
    }
}

unsafe extern "C" fn before() {
    let held = Held {
        _gate: gate::hold(),
        _allowances: allow::hold(),
        _accounts: account::hold(),
        _names: symbols::hold(),
        _unwind: unwind::hold(),
        _timeline: timeline::hold(),
    };
    // SAFETY: no other handler runs meanwhile.
    unsafe { *PLACE.0.get() = Some(held) };
}

unsafe extern "C" fn in_parent() {
    // SAFETY: no other handler runs meanwhile.
    drop(unsafe { (*PLACE.0.get()).take() });
}

unsafe extern "C" fn in_child() {
    // SAFETY: no other handler runs meanwhile.
    drop(unsafe { (*PLACE.0.get()).take() });
    #[cfg(target_os = "linux")]
    {
        crate::left::process::is_this();
        crate::left::under_way::forget();
    }
    // The threads that had passed the gate are not in the child, nor those that were moving records, nor
    // the one that records.
    gate::reopen();
    account::abandon_passings();
    unwind::ask_no_more();
    timeline::forked();
}
