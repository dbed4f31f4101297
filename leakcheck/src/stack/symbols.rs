//! Names for return addresses: looked up for reports only, each address once in a process.

use std::collections::HashMap;
#[cfg(interposed)]
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::ptr::without_provenance_mut;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use super::frame::Frame;
use super::site::{self, SiteId};
use super::{module, symtab};
use crate::thread::Quiet;

static NAMES: LazyLock<Mutex<Names>> = LazyLock::new(Mutex::default);

/// The frames of a call site, leaf first, inlined calls included.
pub(crate) fn frames(site: SiteId) -> Vec<Frame> {
    let _quiet = Quiet::new();
    if let Some(frames) = names().of_gone.get(&site) {
        return frames.clone();
    }
    let Some(site) = site::get(site) else { return Vec::new() };
    site.frames().iter().flat_map(|address| frames_at(*address).to_vec()).collect()
}

/// Looks up the names of a call site while its code is there.
#[cfg(interposed)]
pub(super) fn keep(site: SiteId) {
    let frames = frames(site);
    names().of_gone.insert(site, frames);
}

/// Code is gone: its addresses may get other names.
#[cfg(interposed)]
pub(super) fn forget(code: &Range<usize>) {
    names().at.retain(|address, _| !code.contains(address));
    backtrace::clear_symbol_cache();
}

/// What was looked up.
#[derive(Default)]
pub(crate) struct Names {
    at: HashMap<usize, Arc<[Frame]>>,
    /// Those of call sites whose code is gone, or about to go.
    of_gone: HashMap<SiteId, Vec<Frame>>,
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

fn frames_at(address: usize) -> Arc<[Frame]> {
    names().at.entry(address).or_insert_with(|| look_up(address)).clone()
}

fn look_up(address: usize) -> Arc<[Frame]> {
    let mut found: Vec<(Option<String>, Option<PathBuf>, Option<u32>)> = Vec::new();
    backtrace::resolve(without_provenance_mut(address), |symbol| {
        let function = symbol.name().map(|name| format!("{name:#}"));
        found.push((function, symbol.filename().map(Path::to_owned), symbol.lineno()));
    });
    // Debug information that is line tables only has lost the paths of functions. The symbol table
    // has that of the last one, which the others were inlined into.
    if let Some((Some(function), ..)) = found.last_mut()
        && !function.contains("::")
        && let Some(symbol) = symtab::function_at(address)
    {
        *function = symbol;
    }
    let mut frames: Vec<Frame> = found
        .into_iter()
        .map(|(function, path, line)| Frame::new(function.as_deref(), path.as_deref(), line))
        .collect();
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
