//! The threads that the interposed `pthread_create` has started and that are still running.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use leakcheck_system::arena::Zeroed;
use leakcheck_system::pool::{Pool, PoolEntry};
use leakcheck_system::spare_fd;

use crate::accounts::account::{self, RegionId};
use crate::call_site::SiteId;

/// The name of a thread that has not named itself.
pub const UNNAMED: &str = "unnamed";

/// The index of an entry, 0 for none.
pub type EntryId = u32;

#[repr(C)]
struct RunningEntry {
    /// The next free entry.
    next: AtomicU32,
    /// 1 if the entry is in use.
    used: AtomicU32,
    /// The region that started the thread, 0 if none did.
    region: AtomicU32,
    start_site: AtomicU32,
    /// The thread's id in the kernel, 0 before the thread runs.
    tid: AtomicI32,
    /// The thread's initial name, which it inherits from the thread that started it.
    initial_name: [AtomicU64; 2],
}

// SAFETY: all fields are atomic integers, for which zero is valid and which need no drop.
unsafe impl Zeroed for RunningEntry {}

impl PoolEntry for RunningEntry {
    fn next_free(&self) -> u32 {
        self.next.load(Ordering::Relaxed)
    }

    fn set_next_free(&self, index: u32) {
        self.next.store(index, Ordering::Relaxed);
    }
}

static ENTRIES: Pool<RunningEntry> = Pool::new(6);

/// The ids of the threads whose code ended last. The kernel may still list them.
static ENDED: [AtomicI32; 256] = [const { AtomicI32::new(0) }; 256];
static ENDED_COUNT: AtomicUsize = AtomicUsize::new(0);

/// Set when the interposed `pthread_create` is called for the first time.
static TRACKED: AtomicBool = AtomicBool::new(false);

/// A thread that a region started and that is still running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningThread {
    pub name: String,
    pub started_at: SiteId,
}

/// The threads that are followed from start to end.
#[derive(Debug, Default)]
pub struct Followed {
    /// Their ids, sorted.
    tids: Vec<i32>,
    /// The number of threads that may exist already and have no known id yet.
    pub starting: usize,
}

/// Returns whether threads are tracked from their start to their end.
pub(crate) fn are_tracked() -> bool {
    TRACKED.load(Ordering::Relaxed)
}

/// Records that threads are tracked from their start to their end.
pub fn set_tracked() {
    TRACKED.store(true, Ordering::Relaxed);
}

/// Registers a thread that the calling thread is about to start for `region`. Returns 0 if memory
/// is exhausted.
pub fn register(region: RegionId, start_site: SiteId) -> EntryId {
    let Some(account) = account::get(region) else { return 0 };
    let Some((id, entry)) = allocate() else { return 0 };
    account.add_reference();
    entry.start_site.store(start_site, Ordering::Relaxed);
    entry.region.store(region, Ordering::Release);
    id
}

/// Registers a thread that is about to be started outside of any region. Returns 0 if memory is
/// exhausted.
pub fn register_unowned() -> EntryId {
    allocate().map_or(0, |(id, _)| id)
}

/// Allocates an entry without a region and without a thread id.
fn allocate() -> Option<(EntryId, &'static RunningEntry)> {
    let (id, entry) = ENTRIES.allocate()?;
    entry.tid.store(0, Ordering::Relaxed);
    entry.used.store(1, Ordering::Release);
    Some((id, entry))
}

/// Records that the thread of an entry has started.
pub fn started(id: EntryId, tid: i32, initial_name: [u64; 2]) {
    if let Some(entry) = ENTRIES.get(id) {
        for (stored, part) in entry.initial_name.iter().zip(initial_name) {
            stored.store(part, Ordering::Relaxed);
        }
        entry.tid.store(tid, Ordering::Release);
    }
}

/// Records that the thread of an entry has ended, or that starting it failed.
pub fn ended(id: EntryId) {
    let Some(entry) = ENTRIES.get(id) else { return };
    let region = entry.region.swap(0, Ordering::AcqRel);
    let ended = ENDED_COUNT.fetch_add(1, Ordering::Relaxed) % ENDED.len();
    ENDED[ended].store(entry.tid.load(Ordering::Acquire), Ordering::Release);
    entry.used.store(0, Ordering::Release);
    ENTRIES.free(id);
    if let Some(account) = account::get(region) {
        account.remove_reference();
    }
}

/// Returns the threads that are followed, including those that ended last. A thread that the kernel
/// listed before this call and that is not among them was started by other means.
pub fn followed() -> Followed {
    let mut followed = Followed::default();
    for entry in ENTRIES.iter().filter(|entry| entry.used.load(Ordering::Acquire) != 0) {
        match entry.tid.load(Ordering::Acquire) {
            0 => followed.starting += 1,
            tid => followed.tids.push(tid),
        }
    }
    // A thread that ends meanwhile is added to these before its entry is free.
    followed.tids.extend(ENDED.iter().map(|tid| tid.load(Ordering::Acquire)));
    followed.tids.sort_unstable();
    followed
}

impl Followed {
    /// Whether the thread with this id is among them.
    pub fn contains(&self, tid: i32) -> bool {
        self.tids.binary_search(&tid).is_ok()
    }
}

/// Returns the running threads that the given regions have started.
pub fn started_by(regions: &[RegionId]) -> Vec<RunningThread> {
    let entries = ENTRIES.iter().filter(|entry| {
        let region = entry.region.load(Ordering::Acquire);
        region != 0 && regions.contains(&region)
    });
    entries
        .map(|entry| RunningThread {
            name: entry.name(),
            started_at: entry.start_site.load(Ordering::Relaxed),
        })
        .collect()
}

/// Returns whether a thread is running that was started by a region other than the given ones.
pub fn any_outside(regions: &[RegionId]) -> bool {
    ENTRIES.iter().any(|entry| {
        let region = entry.region.load(Ordering::Acquire);
        region != 0 && !regions.contains(&region)
    })
}

/// Returns the call site at which a thread was started for a region, 0 if it is unknown.
#[cfg(holders)]
pub fn start_site(tid: i32) -> SiteId {
    let found = ENTRIES.iter().find(|entry| {
        entry.region.load(Ordering::Acquire) != 0 && entry.tid.load(Ordering::Acquire) == tid
    });
    found.map_or(0, |entry| entry.start_site.load(Ordering::Relaxed))
}

impl RunningEntry {
    /// Returns the kernel's name of the thread, which has at most 15 bytes. A thread that still has
    /// its inherited name counts as unnamed.
    fn name(&self) -> String {
        let tid = self.tid.load(Ordering::Acquire);
        let path = format!("/proc/self/task/{tid}/comm");
        let name = spare_fd::with_one_free(|| std::fs::read_to_string(path));
        let name = name.unwrap_or_default().trim_end_matches('\n').to_owned();
        let initial: Vec<u8> = self
            .initial_name
            .iter()
            .flat_map(|part| part.load(Ordering::Relaxed).to_ne_bytes())
            .take_while(|&byte| byte != 0)
            .collect();
        if name.is_empty() || name.as_bytes() == initial { UNNAMED.to_owned() } else { name }
    }
}
