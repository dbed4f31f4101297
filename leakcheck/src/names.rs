//! The names of call sites.

use std::collections::HashSet;
use std::sync::Arc;

use leakcheck_ledger::thread::Untracked;
use leakcheck_ledger::{SiteId, call_site};
use leakcheck_report::Frame;
use leakcheck_symbols::{self as symbols, CallStack};

/// A call site as names are looked up for it.
pub(crate) fn call_stack(site: SiteId) -> CallStack {
    CallStack { id: site, addresses: call_site::addresses(site) }
}

/// The frames of a call site, leaf first, inlined calls included.
pub(crate) fn frames(site: SiteId) -> Vec<Frame> {
    let _untracked = Untracked::new();
    symbols::frames(&call_stack(site))
}

/// Looks up the names of many call sites at once, which takes little more time than those of one.
pub(crate) fn look_up(sites: &[SiteId]) {
    let _untracked = Untracked::new();
    let stacks: Vec<CallStack> = sites.iter().copied().map(call_stack).collect();
    symbols::look_up(&stacks);
}

/// The frames at each return address, innermost first.
pub(crate) fn frames_at(addresses: &[usize]) -> Vec<Arc<[Frame]>> {
    let _untracked = Untracked::new();
    symbols::frames_at(addresses)
}

/// The call sites whose code may be unloaded. Other code may be at their addresses.
pub(crate) fn in_unloaded_code() -> HashSet<SiteId> {
    let _untracked = Untracked::new();
    symbols::kept_stacks().into_iter().collect()
}
