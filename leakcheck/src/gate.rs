//! Who may run at the same time: regions of test scope together, a region of process scope alone.

use std::sync::{Condvar, MutexGuard};

#[cfg(unix)]
use leakcheck_system::fork;
use leakcheck_system::fork::ForkMutex;

/// What a region needs to itself while it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Others may be open too.
    Shared,
    /// Nobody else may be.
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
    /// How many wait to be alone; new sharers wait behind them.
    waiting_alone: usize,
}

static GATE: Gate = Gate {
    state: ForkMutex::new(10, State { sharing: 0, alone: false, waiting_alone: 0 }),
    changed: Condvar::new(),
};

/// The permission to be open; gives it back when dropped.
#[derive(Debug)]
pub(crate) struct Pass(Access);

impl Pass {
    /// Waits until it may be given.
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
            // A pass may have come along in a fork, to a gate that does not know it.
            Access::Shared => state.sharing = state.sharing.saturating_sub(1),
            Access::Alone => state.alone = false,
        }
        GATE.changed.notify_all();
    }
}

/// Forgets who is inside: they are not in the child of a fork.
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
