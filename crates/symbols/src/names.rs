//! Names of return addresses. They are looked up for reports only, and each address once in a
//! process.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, MutexGuard};

use leakcheck_report::{Frame, order};
use leakcheck_system::fork::ForkMutex;
use leakcheck_system::spare_fd;

use crate::call::Call;
#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    target_pointer_width = "64",
    not(target_feature = "crt-static"),
    not(miri)
))]
use crate::loaded::Loaded;
#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    target_pointer_width = "64",
    not(target_feature = "crt-static"),
    not(miri)
)))]
use crate::platform::Loaded;
use crate::{frame, module};

static NAMES: ForkMutex<Option<Names>> = ForkMutex::new(60, None);

/// A call stack with an identifier.
#[derive(Clone, Debug)]
pub struct CallStack {
    /// Distinct call stacks have distinct identifiers.
    pub id: u32,
    /// The return addresses, innermost first.
    pub addresses: Vec<usize>,
}

/// The frames of a call stack, innermost first, including inlined calls.
pub fn frames(stack: &CallStack) -> Vec<Frame> {
    Names::with(|names| names.frames(stack))
}

/// Looks up the names of many call stacks at once. This takes little longer than one of them would,
/// because each look-up reads the index of the debug information.
pub fn look_up(stacks: &[CallStack]) {
    Names::with(|names| {
        let mut addresses: Vec<usize> = Vec::new();
        for stack in stacks.iter().filter(|stack| !names.unloaded.contains_key(&stack.id)) {
            addresses.extend_from_slice(&stack.addresses);
        }
        names.look_up(&addresses);
    });
}

/// The frames at each return address, innermost first. Stacks whose names are [kept](kept_stacks) may
/// have had other code at their addresses.
pub fn frames_at(addresses: &[usize]) -> Vec<Arc<[Frame]>> {
    Names::with(|names| {
        names.look_up(addresses);
        addresses.iter().map(|address| names.frames[address].clone()).collect()
    })
}

/// The identifiers of the call stacks whose names are kept, because their code was unloaded or is
/// about to be.
pub fn kept_stacks() -> Vec<u32> {
    Names::with(|names| names.unloaded.keys().copied().collect())
}

/// Looks up and keeps the names of call stacks whose code is about to be unloaded.
pub fn keep(stacks: &[CallStack]) {
    look_up(stacks);
    Names::with(|names| {
        for stack in stacks {
            let frames = names.frames(stack);
            names.unloaded.insert(stack.id, frames);
        }
    });
}

/// A file with names that could not be read, and why.
pub fn unread() -> Option<String> {
    Names::with(|names| names.loaded.unread().map(str::to_owned))
}

/// Forgets the names in unloaded code, at whose addresses other code may be loaded.
pub fn forget(code: &Range<usize>) {
    Names::with(|names| {
        names.frames.retain(|address, _| !code.contains(address));
        names.loaded.forget();
    });
}

/// The names that were looked up.
#[derive(Default)]
struct Names {
    frames: HashMap<usize, Arc<[Frame]>>,
    /// The frames of call stacks whose code was unloaded or is about to be.
    unloaded: HashMap<u32, Vec<Frame>>,
    loaded: Loaded,
}

impl Names {
    fn with<T>(then: impl FnOnce(&mut Self) -> T) -> T {
        let mut names: MutexGuard<'_, Option<Self>> = NAMES.lock();
        then(names.get_or_insert_with(Self::default))
    }

    fn frames(&mut self, stack: &CallStack) -> Vec<Frame> {
        if let Some(frames) = self.unloaded.get(&stack.id) {
            return frames.clone();
        }
        self.look_up(&stack.addresses);
        stack.addresses.iter().flat_map(|address| self.frames[address].iter().cloned()).collect()
    }

    /// Looks up the frames of addresses that have none yet.
    fn look_up(&mut self, addresses: &[usize]) {
        let mut new: Vec<usize> = addresses.to_vec();
        new.retain(|address| !self.frames.contains_key(address));
        order::sort_by(&mut new, Ord::cmp);
        new.dedup();
        if !new.is_empty() {
            let calls = spare_fd::with_one_free(|| self.loaded.calls(&new));
            let frames = new.iter().zip(calls).map(|(at, calls)| (*at, frames_of(*at, calls)));
            self.frames.extend(frames);
        }
    }
}

fn frames_of(address: usize, calls: Vec<Call>) -> Arc<[Frame]> {
    let frame =
        |call: Call| frame::named(call.function.as_deref(), call.file.as_deref(), call.line);
    let mut frames: Vec<Frame> = calls.into_iter().map(frame).collect();
    if frames.is_empty() {
        frames.push(Frame::default());
    }
    if frames.iter().all(|frame| frame.line.is_none()) {
        let module = module::at(address);
        for frame in &mut frames {
            frame.module = module.as_ref().map(|module| module.name());
            frame.offset = module.as_ref().map(|module| module.offset);
        }
    }
    frames.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_has_its_whole_path() {
        let inside = a_function_has_its_whole_path as *const () as usize + 1;
        let calls = Names::default().loaded.calls(&[inside]).concat();
        let name = calls.last().and_then(|call| call.function.as_deref());
        let expected = "names::tests::a_function_has_its_whole_path";
        assert!(name.is_some_and(|name| name.ends_with(expected)), "{calls:?}");
    }

    #[test]
    fn an_address_without_code_has_no_calls() {
        let here = 0_u8;
        let calls = Names::default().loaded.calls(&[&raw const here as usize, 0, usize::MAX]);
        assert_eq!(calls, [const { Vec::new() }; 3]);
    }
}
