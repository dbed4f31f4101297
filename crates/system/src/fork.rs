//! Locks that stay usable in the child of a fork, and functions that run first in the child.
//!
//! The child has a single thread, so a lock that another thread held at the fork would stay locked
//! forever. Every lock of leakcheck is therefore a [`ForkMutex`], which registers itself when it is
//! first locked. All registered locks are taken before a fork and released in the parent and in the
//! child, as the C library does with its own locks. A lock that was never locked is free in the
//! child.

use std::sync::{Mutex, MutexGuard};
#[cfg(unix)]
use std::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, Ordering},
};

/// A mutex that is held across every fork, so that it is never locked in the child.
#[derive(Debug)]
pub struct ForkMutex<T: 'static> {
    mutex: Mutex<T>,
    /// Locks of a lower rank are taken first.
    #[cfg(unix)]
    rank: u8,
    #[cfg(unix)]
    registered: AtomicBool,
    /// The guard during a fork.
    #[cfg(unix)]
    guard: UnsafeCell<Option<MutexGuard<'static, T>>>,
}

// SAFETY: `mutex` and `registered` are `Sync`, `rank` never changes, and only the fork handlers
// access `guard`. The C library runs them on the forking thread, for one fork at a time.
#[cfg(unix)]
unsafe impl<T: Send> Sync for ForkMutex<T> {}

impl<T: Send> ForkMutex<T> {
    /// Creates a lock, for use in a static. A thread that holds a lock may only take locks of a
    /// higher rank, because a fork takes them in this order.
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

    /// Locks the mutex. It ignores poisoning, because leakcheck's data is consistent between any
    /// two statements.
    pub fn lock(&'static self) -> MutexGuard<'static, T> {
        #[cfg(unix)]
        if !self.registered.load(Ordering::Acquire) {
            registry::add_lock(self);
        }
        self.mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Runs `handler` in the child of every fork, after the locks were released. Registering the same
/// function again has no effect.
#[cfg(unix)]
pub fn in_child(handler: fn()) {
    registry::add_child_handler(handler);
}

/// Registers the fork handlers, so that checks work in the child of a fork. It should be called
/// before `main`, because another thread could otherwise fork during the registration of a lock.
#[cfg(unix)]
pub extern "C" fn prepare() {
    registry::prepare();
}

#[cfg(unix)]
mod registry {
    use super::{ForkMutex, Mutex, MutexGuard, Ordering, UnsafeCell};
    use std::sync::Once;

    /// More than the number of locks or handlers in all crates of leakcheck.
    const CAPACITY: usize = 32;

    trait Lock: Sync {
        fn rank(&self) -> u8;
        /// Marks the lock as registered and returns whether it already was.
        fn set_registered(&self) -> bool;
        /// Takes the lock and stores its guard.
        ///
        /// # Safety
        ///
        /// Only the handler that runs before a fork may call this.
        unsafe fn lock_for_fork(&'static self);
        /// Drops the stored guard.
        ///
        /// # Safety
        ///
        /// Only a fork handler that took the lock, or that runs after one that did, may call this.
        unsafe fn unlock_after_fork(&'static self);
    }

    impl<T: Send> Lock for ForkMutex<T> {
        fn rank(&self) -> u8 {
            self.rank
        }

        fn set_registered(&self) -> bool {
            self.registered.swap(true, Ordering::AcqRel)
        }

        unsafe fn lock_for_fork(&'static self) {
            let guard = self.mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            // SAFETY: only fork handlers access `guard`, the caller is one, and the C library never
            // runs two at once.
            unsafe { *self.guard.get() = Some(guard) };
        }

        unsafe fn unlock_after_fork(&'static self) {
            // SAFETY: only fork handlers access `guard`, the caller is one, and the C library never
            // runs two at once.
            drop(unsafe { (*self.guard.get()).take() });
        }
    }

    struct Registry {
        /// Sorted by rank.
        locks: [Option<&'static dyn Lock>; CAPACITY],
        child_handlers: [Option<fn()>; CAPACITY],
    }

    static REGISTRY: Mutex<Registry> =
        Mutex::new(Registry { locks: [None; CAPACITY], child_handlers: [None; CAPACITY] });

    /// The guard of the registry itself during a fork.
    struct RegistryGuard(UnsafeCell<Option<MutexGuard<'static, Registry>>>);

    // SAFETY: only the fork handlers access it. The C library runs them on the forking thread, for
    // one fork at a time.
    unsafe impl Sync for RegistryGuard {}

    static GUARD: RegistryGuard = RegistryGuard(UnsafeCell::new(None));

    fn registry() -> MutexGuard<'static, Registry> {
        REGISTRY.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(super) fn add_lock<T: Send>(lock: &'static ForkMutex<T>) {
        prepare();
        let mut registry = registry();
        if lock.set_registered() {
            return;
        }
        let end = registry
            .locks
            .iter()
            .position(Option::is_none)
            .expect("the registry has room for every lock");
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
        let index = registry
            .child_handlers
            .iter()
            .position(is_known)
            .expect("the registry has room for every handler");
        registry.child_handlers[index] = Some(handler);
    }

    pub(super) fn prepare() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // SAFETY: the handlers have the required signature, do not unwind, and are part of the
            // program, so they stay valid.
            unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
        });
    }

    unsafe extern "C" fn before() {
        // A thread that holds a lock may be waiting for the registry, so the registry comes last. A
        // lock that was registered meanwhile makes this start over.
        let held = loop {
            let locks = registry().locks;
            for lock in locks.iter().flatten() {
                // SAFETY: this function runs as the handler before a fork and nowhere else.
                unsafe { lock.lock_for_fork() };
            }
            let held = registry();
            if held.locks.iter().flatten().count() == locks.iter().flatten().count() {
                break held;
            }
            drop(held);
            for lock in locks.iter().rev().flatten() {
                // SAFETY: this handler took the lock above.
                unsafe { lock.unlock_after_fork() };
            }
        };
        // SAFETY: only fork handlers access the guard, and the C library never runs two at once.
        unsafe { *GUARD.0.get() = Some(held) };
    }

    unsafe extern "C" fn in_parent() {
        // SAFETY: this function runs as a handler after a fork and nowhere else.
        drop(unsafe { unlock_all() });
    }

    unsafe extern "C" fn in_child() {
        // SAFETY: this function runs as a handler after a fork and nowhere else.
        let Some(registry) = (unsafe { unlock_all() }) else { return };
        let handlers = registry.child_handlers;
        drop(registry);
        for handler in handlers.into_iter().flatten() {
            handler();
        }
    }

    /// Releases all locks except the registry's own, whose guard it returns.
    ///
    /// # Safety
    ///
    /// Only the handlers that run after a fork may call this.
    unsafe fn unlock_all() -> Option<MutexGuard<'static, Registry>> {
        // SAFETY: only fork handlers access the guard, the caller is one, and the C library never
        // runs two at once.
        let registry = unsafe { (*GUARD.0.get()).take() }?;
        for lock in registry.locks.iter().rev().flatten() {
            // SAFETY: the caller is a handler after a fork.
            unsafe { lock.unlock_after_fork() };
        }
        Some(registry)
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

    /// Forks and returns the exit status of the child, which runs `child`.
    fn status_of_child(child: impl FnOnce() -> i32) -> i32 {
        // SAFETY: the child only calls `child`, which only tries locks and reads an atomic, and
        // `_exit`.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            let status = child();
            // SAFETY: `_exit` may be called at any time. It skips the destructors of the test
            // harness.
            unsafe { libc::_exit(status) };
        }
        let mut status = 0;
        // SAFETY: `status` is writable for the duration of the call.
        unsafe { libc::waitpid(pid, &mut status, 0) };
        libc::WEXITSTATUS(status)
    }

    #[test]
    fn every_lock_is_free_in_the_child_and_handlers_run_there() {
        in_child(|| _ = IN_CHILD.fetch_add(1, Ordering::Relaxed));
        // The locks are registered in the wrong order, and another thread uses them during the
        // forks.
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
            assert_eq!(status, 3, "both locks are free and the handler ran once");
        }
        STOP.store(true, Ordering::Relaxed);
        busy.join().expect("the busy thread does not panic");
        assert_eq!(*FIRST.lock(), *SECOND.lock());
    }
}
