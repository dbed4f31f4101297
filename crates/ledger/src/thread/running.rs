//! The threads that regions started and that have not ended.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};

use crate::accounts::account::{self, RegionId};
use crate::call_site::SiteId;
use leakcheck_system::arena::{Arena, Zeroed};

/// What a thread is called that has not named itself.
pub const UNNAMED: &str = "unnamed";

/// The index of an entry; 0 is none.
pub type EntryId = u32;

#[repr(C)]
struct Entry {
    used: AtomicU32,
    region: AtomicU32,
    started_at: AtomicU32,
    /// The thread's id in the kernel, 0 until the thread runs.
    tid: AtomicI32,
    /// The name that the thread began with, which is that of the thread that started it.
    first_name: [AtomicU64; 2],
}

// SAFETY: the fields are atomic integers.
unsafe impl Zeroed for Entry {}

static ENTRIES: Arena<Entry> = Arena::new(6);

/// Set once a thread was started through the interposed `pthread_create`.
static FOLLOWED: AtomicBool = AtomicBool::new(false);

/// A thread that a region started and that still runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    pub name: String,
    pub started_at: SiteId,
}

/// Whether threads are known from their start to their end.
pub fn followed() -> bool {
    FOLLOWED.load(Ordering::Relaxed)
}

/// Notes that the calling thread is about to start one for `region`. 0 when there is no memory to
/// note it.
pub fn announce(region: RegionId, started_at: SiteId) -> EntryId {
    let Some(account) = account::get(region) else { return 0 };
    let Some((id, entry)) = claim() else { return 0 };
    account.hold();
    entry.started_at.store(started_at, Ordering::Relaxed);
    entry.tid.store(0, Ordering::Relaxed);
    entry.region.store(region, Ordering::Release);
    id
}

fn claim() -> Option<(EntryId, &'static Entry)> {
    let claimed = |&id: &EntryId| {
        ENTRIES.get(id).is_some_and(|entry| {
            entry.used.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        })
    };
    loop {
        let free = (1..ENTRIES.end()).find(claimed);
        // Another thread may claim what this one appends.
        let id = match free {
            Some(id) => Some(id),
            None => ENTRIES.push().map(Some)?.filter(claimed),
        };
        if let Some(id) = id {
            return Some((id, ENTRIES.get(id)?));
        }
    }
}

/// The thread of an entry runs.
pub fn begin(id: EntryId, tid: i32, name: [u64; 2]) {
    if let Some(entry) = ENTRIES.get(id) {
        for (kept, part) in entry.first_name.iter().zip(name) {
            kept.store(part, Ordering::Relaxed);
        }
        entry.tid.store(tid, Ordering::Release);
    }
}

/// The thread of an entry has ended, or was never started.
pub fn end(id: EntryId) {
    let Some(entry) = ENTRIES.get(id) else { return };
    let region = entry.region.swap(0, Ordering::AcqRel);
    entry.used.store(0, Ordering::Release);
    if let Some(account) = account::get(region) {
        account.let_go(region);
    }
}

pub fn follow() {
    FOLLOWED.store(true, Ordering::Relaxed);
}

/// The threads that the given regions started and that still run.
pub fn list(regions: &[RegionId]) -> Vec<Running> {
    of(regions)
        .map(|entry| Running {
            name: entry.name(),
            started_at: entry.started_at.load(Ordering::Relaxed),
        })
        .collect()
}

/// Whether a thread still runs that another region than these has started.
pub fn any_of_others(regions: &[RegionId]) -> bool {
    (1..ENTRIES.end()).filter_map(|id| ENTRIES.get(id)).any(|entry| {
        let region = entry.region.load(Ordering::Acquire);
        region != 0 && !regions.contains(&region)
    })
}

/// The call site that started a thread for a region, 0 where that is not known.
#[cfg(holders)]
pub fn started_at(tid: i32) -> SiteId {
    let mut entries = (1..ENTRIES.end()).filter_map(|id| ENTRIES.get(id));
    let found = entries.find(|entry| {
        entry.region.load(Ordering::Acquire) != 0 && entry.tid.load(Ordering::Acquire) == tid
    });
    found.map_or(0, |entry| entry.started_at.load(Ordering::Relaxed))
}

fn of(regions: &[RegionId]) -> impl Iterator<Item = &'static Entry> {
    (1..ENTRIES.end()).filter_map(|id| ENTRIES.get(id)).filter(|entry| {
        let region = entry.region.load(Ordering::Acquire);
        region != 0 && regions.contains(&region)
    })
}

impl Entry {
    /// The name that the kernel knows, which is cut to 15 bytes. A thread that has not named itself
    /// still has the name of the one that started it.
    fn name(&self) -> String {
        let tid = self.tid.load(Ordering::Acquire);
        let name = std::fs::read_to_string(format!("/proc/self/task/{tid}/comm"));
        let name = name.unwrap_or_default().trim_end_matches('\n').to_owned();
        let first: Vec<u8> = self
            .first_name
            .iter()
            .flat_map(|part| part.load(Ordering::Relaxed).to_ne_bytes())
            .take_while(|&byte| byte != 0)
            .collect();
        if name.is_empty() || name.as_bytes() == first { UNNAMED.to_owned() } else { name }
    }
}
