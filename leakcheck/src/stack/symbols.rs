//! Names for return addresses: looked up for reports only, each address once in a process.

#[cfg(own_symbols)]
mod loaded;
#[cfg(not(own_symbols))]
mod platform;

use std::collections::HashMap;
#[cfg(interposed)]
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use super::frame::{self, Frame};
use super::module;
use super::site::{self, SiteId};
use crate::thread::Quiet;
#[cfg(own_symbols)]
use loaded::Loaded;
#[cfg(holders)]
pub(crate) use loaded::types;
#[cfg(not(own_symbols))]
use platform::Loaded;

static NAMES: LazyLock<Mutex<Names>> = LazyLock::new(Mutex::default);

/// The frames of a call site, leaf first, inlined calls included.
pub(crate) fn frames(site: SiteId) -> Vec<Frame> {
    let _quiet = Quiet::new();
    names().frames(site)
}

/// Looks up the names of many call sites at once, which takes little more time than those of one:
/// each time, a program's debug information is gone through for which part has what.
pub(crate) fn look_up(sites: impl Iterator<Item = SiteId>) {
    let _quiet = Quiet::new();
    let mut names = names();
    let there = sites.filter(|site| !names.of_gone.contains_key(site));
    let addresses: Vec<usize> = there.flat_map(addresses).collect();
    names.look_up(&addresses);
}

/// Looks up the names of call sites while their code is there.
#[cfg(interposed)]
pub(super) fn keep(sites: &[SiteId]) {
    look_up(sites.iter().copied());
    let mut names = names();
    for site in sites {
        let frames = names.frames(*site);
        names.of_gone.insert(*site, frames);
    }
}

/// Code is gone: its addresses may get other names.
#[cfg(interposed)]
pub(super) fn forget(code: &Range<usize>) {
    let mut names = names();
    names.at.retain(|address, _| !code.contains(address));
    names.loaded.forget();
}

/// What was looked up.
#[derive(Default)]
pub(crate) struct Names {
    at: HashMap<usize, Arc<[Frame]>>,
    /// Those of call sites whose code is gone, or about to go.
    of_gone: HashMap<SiteId, Vec<Frame>>,
    loaded: Loaded,
}

/// A function that was at work at an address, and the line that it was on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Call {
    function: Option<String>,
    file: Option<PathBuf>,
    line: Option<u32>,
}

/// The names, held over a fork.
#[cfg(unix)]
pub(crate) type Held = MutexGuard<'static, Names>;

#[cfg(unix)]
pub(crate) fn hold() -> Held {
    names()
}

fn names() -> MutexGuard<'static, Names> {
    NAMES.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The return addresses of a call site, leaf first.
fn addresses(site: SiteId) -> Vec<usize> {
    site::get(site).map_or(Vec::new(), |site| site.frames())
}

impl Names {
    fn frames(&mut self, site: SiteId) -> Vec<Frame> {
        if let Some(frames) = self.of_gone.get(&site) {
            return frames.clone();
        }
        let addresses = addresses(site);
        self.look_up(&addresses);
        addresses.iter().flat_map(|address| self.at[address].iter().cloned()).collect()
    }

    /// Sees to it that all these addresses have frames.
    fn look_up(&mut self, addresses: &[usize]) {
        let mut new: Vec<usize> = addresses.to_vec();
        new.retain(|address| !self.at.contains_key(address));
        new.sort_unstable();
        new.dedup();
        if !new.is_empty() {
            let calls = self.loaded.calls(&new);
            let frames = new.iter().zip(calls).map(|(at, calls)| (*at, frames_of(*at, calls)));
            self.at.extend(frames);
        }
    }
}

impl Call {
    /// Whether the function is named with its crate.
    fn has_path(&self) -> bool {
        self.function.as_ref().is_some_and(|function| function.contains("::"))
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

/// The function that an address lies in, without what was inlined there.
#[cfg(all(own_walk, leakcheck_compare))]
pub(super) fn function_at(address: usize) -> Option<String> {
    let mut names = names();
    names.look_up(&[address]);
    names.at[&address].last()?.function.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_has_its_whole_path() {
        let inside = a_function_has_its_whole_path as *const () as usize + 1;
        let calls = Names::default().loaded.calls(&[inside]).concat();
        let name = calls.last().and_then(|call| call.function.as_deref());
        let expected = "symbols::tests::a_function_has_its_whole_path";
        assert!(name.is_some_and(|name| name.ends_with(expected)), "{calls:?}");
    }

    #[test]
    fn an_address_elsewhere_has_no_calls() {
        let here = 0_u8;
        let calls = Names::default().loaded.calls(&[&raw const here as usize, 0, usize::MAX]);
        assert_eq!(calls, [const { Vec::new() }; 3]);
    }
}
