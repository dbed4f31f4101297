//! Which regions may be open at the same time: those of test scope together, one of process scope
//! alone.

use std::sync::{Condvar, MutexGuard};

#[cfg(unix)]
use leakcheck_system::fork;
use leakcheck_system::fork::ForkMutex;

/// Whether other regions may be open at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// They may.
    Shared,
    /// They may not.
    Alone,
}

#[derive(Debug)]
struct Gate {
    state: ForkMutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    sharing: usize,
    alone: bool,
    /// How many wait for [`Access::Alone`]. New sharers wait behind them.
    waiting_alone: usize,
}

static GATE: Gate = Gate {
    state: ForkMutex::new(10, State { sharing: 0, alone: false, waiting_alone: 0 }),
    changed: Condvar::new(),
};

/// The permission to be open, which is returned when this is dropped.
#[derive(Debug)]
pub(crate) struct Pass(Access);

impl Pass {
    /// Blocks until the permission can be given.
    pub(crate) fn wait(access: Access) -> Self {
        let mut state = GATE.lock();
        match access {
            Access::Shared => {
                while state.alone || state.waiting_alone > 0 {
                    state = GATE.wait(state);
                }
                state.sharing += 1;
            }
            Access::Alone => {
                state.waiting_alone += 1;
                while state.alone || state.sharing > 0 {
                    state = GATE.wait(state);
                }
                state.waiting_alone -= 1;
                state.alone = true;
            }
        }
        Self(access)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut state = GATE.lock();
        match self.0 {
            // In the child of a fork, a pass may be older than the reopened gate.
            Access::Shared => state.sharing = state.sharing.saturating_sub(1),
            Access::Alone => state.alone = false,
        }
        GATE.changed.notify_all();
    }
}

/// Forgets all open regions: their threads do not exist in the child of a fork.
#[cfg(unix)]
fn reopen() {
    *GATE.lock() = State { sharing: 0, alone: false, waiting_alone: 0 };
}

impl Gate {
    fn lock(&'static self) -> MutexGuard<'static, State> {
        #[cfg(unix)]
        fork::in_child(reopen);
        self.state.lock()
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn alone_means_alone() {
        static INSIDE: AtomicUsize = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for n in 0..8 {
                scope.spawn(move || {
                    for _ in 0..200 {
                        let access = if n % 4 == 0 { Access::Alone } else { Access::Shared };
                        let _pass = Pass::wait(access);
                        let before = INSIDE.fetch_add(1, Ordering::SeqCst);
                        assert!(access == Access::Shared || before == 0, "someone else is inside");
                        INSIDE.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
    }
}
