//! Locks that stay usable in the child of a fork, and what else a child has to do first.
//!
//! A child has one thread, and nobody in it unlocks what other threads held. So every lock of
//! leakcheck is a [`ForkMutex`]. It registers itself when it is first locked; before a fork all
//! registered locks are taken, and after it they are released on both sides, as the C library does
//! for its own. A lock that was never locked needs nothing: the child finds it free.

use std::sync::{Mutex, MutexGuard};
#[cfg(unix)]
use std::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, Ordering},
};

/// A mutex that is held across every fork, so that the child never finds it locked.
#[derive(Debug)]
pub struct ForkMutex<T: 'static> {
    mutex: Mutex<T>,
    /// Locks of a lower rank are taken first.
    #[cfg(unix)]
    rank: u8,
    #[cfg(unix)]
    registered: AtomicBool,
    /// The guard, while a fork is under way.
    #[cfg(unix)]
    guard: UnsafeCell<Option<MutexGuard<'static, T>>>,
}

// SAFETY: `mutex` and `registered` are `Sync`, `rank` never changes, and `guard` is only touched by
// the fork handlers, which the C library runs one fork at a time on the thread that forks.
#[cfg(unix)]
unsafe impl<T: Send> Sync for ForkMutex<T> {}

impl<T: Send> ForkMutex<T> {
    /// A lock in a static. A thread that holds a lock may take only locks of a higher rank: forks
    /// take them in that order too.
    pub const fn new(rank: u8, value: T) -> Self {
        #[cfg(not(unix))]
        let _ = rank;
        Self {
            mutex: Mutex::new(value),
            #[cfg(unix)]
            rank,
            #[cfg(unix)]
            registered: AtomicBool::new(false),
            #[cfg(unix)]
            guard: UnsafeCell::new(None),
        }
    }

    /// Locks. A panic of an earlier holder does not matter: what leakcheck keeps behind locks is
    /// whole between any two statements.
    pub fn lock(&'static self) -> MutexGuard<'static, T> {
        #[cfg(unix)]
        if !self.registered.load(Ordering::Acquire) {
            registry::add_lock(self);
        }
        self.mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Runs `first` in the child of every fork, once the locks are free again. Registering the same
/// function again has no effect.
#[cfg(unix)]
pub fn in_child(first: fn()) {
    registry::add_child_handler(first);
}

/// Registers the fork handlers, so that a check can be made in the child of a fork. Before `main`
/// it is best: otherwise another thread could fork while the first lock is being registered.
#[cfg(unix)]
pub extern "C" fn prepare() {
    registry::prepare();
}

#[cfg(unix)]
mod registry {
    use super::{ForkMutex, Mutex, MutexGuard, Ordering, UnsafeCell};
    use std::sync::Once;

    /// More than there are locks and handlers in all crates of leakcheck.
    const ROOM: usize = 32;

    trait Lock: Sync {
        fn rank(&self) -> u8;
        /// Whether it was registered before.
        fn set_registered(&self) -> bool;
        /// Takes the lock and keeps its guard.
        ///
        /// # Safety
        ///
        /// Only the handler that runs before a fork may call this.
        unsafe fn take(&'static self);
        /// Drops the guard.
        ///
        /// # Safety
        ///
        /// Only the handlers that run after a fork may call this.
        unsafe fn give_back(&'static self);
    }

    impl<T: Send> Lock for ForkMutex<T> {
        fn rank(&self) -> u8 {
            self.rank
        }

        fn set_registered(&self) -> bool {
            self.registered.swap(true, Ordering::AcqRel)
        }

        unsafe fn take(&'static self) {
            let guard = self.mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            // SAFETY: the caller is the handler before a fork, and no other handler runs meanwhile.
            unsafe { *self.guard.get() = Some(guard) };
        }

        unsafe fn give_back(&'static self) {
            // SAFETY: the caller is a handler after a fork, and no other handler runs meanwhile.
            drop(unsafe { (*self.guard.get()).take() });
        }
    }

    struct Registry {
        /// Sorted by rank.
        locks: [Option<&'static dyn Lock>; ROOM],
        child_handlers: [Option<fn()>; ROOM],
    }

    static REGISTRY: Mutex<Registry> =
        Mutex::new(Registry { locks: [None; ROOM], child_handlers: [None; ROOM] });

    /// The registry's own guard, while a fork is under way.
    struct Held(UnsafeCell<Option<MutexGuard<'static, Registry>>>);

    // SAFETY: only the fork handlers touch it, which the C library runs one fork at a time on the
    // thread that forks.
    unsafe impl Sync for Held {}

    static HELD: Held = Held(UnsafeCell::new(None));

    fn registry() -> MutexGuard<'static, Registry> {
        REGISTRY.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(super) fn add_lock<T: Send>(lock: &'static ForkMutex<T>) {
        prepare();
        let mut registry = registry();
        if lock.set_registered() {
            return;
        }
        let end = registry.locks.iter().position(Option::is_none).expect("room for every lock");
        let is_later = |other: &Option<&dyn Lock>| other.is_some_and(|it| it.rank() > lock.rank());
        let index = registry.locks[..end].iter().position(is_later).unwrap_or(end);
        registry.locks[index..=end].rotate_right(1);
        registry.locks[index] = Some(lock);
    }

    pub(super) fn add_child_handler(handler: fn()) {
        prepare();
        let mut registry = registry();
        let is_known =
            |other: &Option<fn()>| other.is_none_or(|other| std::ptr::fn_addr_eq(other, handler));
        let index =
            registry.child_handlers.iter().position(is_known).expect("room for every handler");
        registry.child_handlers[index] = Some(handler);
    }

    pub(super) fn prepare() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // SAFETY: the handlers take no arguments and may run at any fork from now on.
            unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
        });
    }

    unsafe extern "C" fn before() {
        let held = registry();
        for lock in held.locks.iter().flatten() {
            // SAFETY: this is the handler before a fork.
            unsafe { lock.take() };
        }
        // SAFETY: no other handler runs meanwhile.
        unsafe { *HELD.0.get() = Some(held) };
    }

    unsafe extern "C" fn in_parent() {
        // SAFETY: `before` has run, and no other handler runs meanwhile.
        drop(unsafe { give_back() });
    }

    unsafe extern "C" fn in_child() {
        // SAFETY: `before` has run, and no other handler runs meanwhile.
        let Some(held) = (unsafe { give_back() }) else { return };
        let handlers = held.child_handlers;
        drop(held);
        for first in handlers.into_iter().flatten() {
            first();
        }
    }

    /// Releases all locks but the registry's own, whose guard it returns.
    ///
    /// # Safety
    ///
    /// Only the handlers that run after a fork may call this.
    unsafe fn give_back() -> Option<MutexGuard<'static, Registry>> {
        // SAFETY: the caller is a handler after a fork, and no other handler runs meanwhile.
        let held = unsafe { (*HELD.0.get()).take() }?;
        for lock in held.locks.iter().rev().flatten() {
            // SAFETY: the caller's promise.
            unsafe { lock.give_back() };
        }
        Some(held)
    }
}

#[cfg(all(test, unix, not(miri)))]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    static FIRST: ForkMutex<u32> = ForkMutex::new(1, 0);
    static SECOND: ForkMutex<u32> = ForkMutex::new(2, 0);
    static IN_CHILD: AtomicU32 = AtomicU32::new(0);
    static STOP: AtomicBool = AtomicBool::new(false);

    /// What a child of a fork returns as its exit status.
    fn status_of_child(child: impl FnOnce() -> i32) -> i32 {
        // SAFETY: the child calls nothing but `child` and `_exit`.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            let status = child();
            // SAFETY: ends the child without running the test harness's destructors.
            unsafe { libc::_exit(status) };
        }
        let mut status = 0;
        // SAFETY: `status` is writable, and the child is this process's own.
        unsafe { libc::waitpid(pid, &mut status, 0) };
        libc::WEXITSTATUS(status)
    }

    #[test]
    fn a_child_finds_every_lock_free_and_runs_its_handlers() {
        in_child(|| _ = IN_CHILD.fetch_add(1, Ordering::Relaxed));
        // Registered in the wrong order, and busy on another thread during the forks.
        drop((SECOND.lock(), FIRST.lock()));
        let busy = std::thread::spawn(|| {
            while !STOP.load(Ordering::Relaxed) {
                let mut first = FIRST.lock();
                *SECOND.lock() += 1;
                *first += 1;
            }
        });
        for _ in 0..100 {
            let status = status_of_child(|| {
                let free = FIRST.mutex.try_lock().is_ok() && SECOND.mutex.try_lock().is_ok();
                i32::from(free) + 2 * IN_CHILD.load(Ordering::Relaxed) as i32
            });
            assert_eq!(status, 3, "both locks are free, and the handler ran once");
        }
        STOP.store(true, Ordering::Relaxed);
        busy.join().expect("the busy thread does not panic");
        assert_eq!(*FIRST.lock(), *SECOND.lock());
    }
}
