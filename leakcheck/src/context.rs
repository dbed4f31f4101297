//! The region of one thread, carried to another by hand.

use std::fmt;
use std::marker::PhantomData;

use leakcheck_ledger::RegionId;
use leakcheck_ledger::accounts::account;
use leakcheck_ledger::thread::{self, EnterGuard, Thread};

/// A handle to the region of a thread, for threads that outlive the test.
///
/// A thread that a test starts belongs to the test automatically. A thread of an older pool does not:
/// what it allocates on the test's behalf is *unattributed* unless it enters the test's context.
///
/// ```
/// use leakcheck::Context;
/// use std::sync::mpsc;
///
/// // A pool that outlives the test.
/// let (send, receive) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
/// std::thread::spawn(move || receive.iter().for_each(|job| job()));
///
/// let measurement = leakcheck::measure(|| {
///     let (context, (done, wait)) = (Context::current(), mpsc::channel());
///     let job = move || {
///         let _entered = context.enter();
///         done.send(vec![0_u8; 1000]).unwrap();
///     };
///     send.send(Box::new(job)).unwrap();
///     std::mem::forget(wait.recv().unwrap());
/// });
/// assert!(measurement.retained.bytes >= 1000);
/// ```
pub struct Context {
    region: RegionId,
}

/// Assigns its thread to the region of a [`Context`] until it is dropped. It cannot be sent to another
/// thread.
#[must_use = "the thread leaves the context when the guard is dropped"]
pub struct ContextGuard<'a> {
    _entered: EnterGuard,
    _context: PhantomData<(&'a Context, *const ())>,
}

impl Context {
    /// The context of the calling thread. Outside of a check, entering it has no effect.
    pub fn current() -> Self {
        let region = thread::with(Thread::current_region);
        account::get(region).inspect(|account| account.add_reference());
        Self { region }
    }

    /// Assigns the calling thread to this context's region until the guard is dropped. Once the region
    /// is closed, what the thread allocates is unattributed.
    pub fn enter(&self) -> ContextGuard<'_> {
        let (own, stack_base) =
            thread::with(|thread| (thread.region.get(), thread.stack_base.get() as usize));
        let region = if self.region == 0 { own } else { self.region };
        ContextGuard { _entered: EnterGuard::new(region, stack_base), _context: PhantomData }
    }
}

impl Clone for Context {
    fn clone(&self) -> Self {
        account::get(self.region).inspect(|account| account.add_reference());
        Self { region: self.region }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        account::get(self.region).inspect(|account| account.remove_reference());
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("region", &self.region).finish()
    }
}

impl fmt::Debug for ContextGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextGuard").finish_non_exhaustive()
    }
}
