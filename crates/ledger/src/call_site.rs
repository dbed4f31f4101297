//! The call-site table, which contains every distinct call stack once.
//!
//! A hash tree finds the call site of a stack. A call site takes 40 bytes, 8 for each of
//! its at most 128 frames, and about 10 in the tree. The table has at most `MAX_SITES` call sites
//! with `MAX_FRAMES` frames in total, which is 0.7 GiB of the system's memory. Blocks from
//! further call sites are in all figures except the split by call site.

#[allow(unsafe_code, reason = "declares a type valid when zeroed")]
mod tree;

use std::ops::Range;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use leakcheck_system::arena::{Arena, Zeroed};
use leakcheck_unwind::walk_cache::{WalkCache, hash_frames};

/// The index of a call site, 0 if it is unknown.
pub type SiteId = u32;

/// A call site: the frames of a distinct call stack.
#[repr(C)]
pub struct Site {
    hash: AtomicU64,
    frames: AtomicPtr<usize>,
    frame_count: AtomicU32,
    /// The number of frames that are omitted between the newest and the oldest.
    omitted: AtomicU32,
    /// The next site with the same hash.
    next: AtomicU32,
    /// The first release at this site.
    releases: AtomicU32,
    /// 1 if code of this stack was unloaded. The same addresses may then belong to other code.
    retired: AtomicU32,
}

// SAFETY: all fields are atomic integers or pointers, for which zero is valid and which need no
// drop.
unsafe impl Zeroed for Site {}

/// The maximum number of call sites.
pub(crate) const MAX_SITES: u32 = 1 << 22;
/// The maximum number of frames of all call sites.
const MAX_FRAMES: u32 = 1 << 26;

static SITES: Arena<Site> = Arena::new(8);
static FRAMES: Arena<AtomicUsize> = Arena::new(12);

/// Returns the call site with an id, `None` for 0.
#[inline(always)]
pub fn get(id: SiteId) -> Option<&'static Site> {
    SITES.get(id)
}

/// Returns the return addresses of a call site, newest first. They are empty if it is unknown.
pub fn addresses(id: SiteId) -> Vec<usize> {
    get(id).map_or(Vec::new(), Site::frames)
}

/// Returns the id of the call stack in a walk cache, 0 if memory is exhausted.
pub(crate) fn intern(cache: &WalkCache) -> SiteId {
    intern_frames(cache.hash(), cache.frames(), cache.omitted())
}

/// Returns the id of the call stack with these return addresses, oldest first, and 0 if memory is
/// exhausted.
pub fn intern_addresses(frames: &[usize], omitted: usize) -> SiteId {
    intern_frames(hash_frames(frames), frames, omitted)
}

fn intern_frames(hash: u64, frames: &[usize], omitted: usize) -> SiteId {
    tree::find_or_add(hash, |site| site.matches(frames), || add(hash, frames, omitted)).unwrap_or(0)
}

fn add(hash: u64, frames: &[usize], omitted: usize) -> Option<SiteId> {
    let count = u32::try_from(frames.len()).ok()?;
    if SITES.end() > MAX_SITES || FRAMES.end() > MAX_FRAMES {
        return None;
    }
    let start = if count == 0 { 0 } else { FRAMES.push_slice(count)? };
    let stored = FRAMES.slice(start, count).unwrap_or_default();
    for (slot, frame) in stored.iter().zip(frames) {
        slot.store(*frame, Ordering::Relaxed);
    }
    let id = SITES.push()?;
    let site = SITES.get(id)?;
    let first = if stored.is_empty() { null_mut() } else { stored.as_ptr().cast_mut().cast() };
    site.hash.store(hash, Ordering::Relaxed);
    site.frames.store(first, Ordering::Relaxed);
    site.frame_count.store(count, Ordering::Relaxed);
    site.omitted.store(u32::try_from(omitted).unwrap_or(u32::MAX), Ordering::Relaxed);
    Some(id)
}

/// Returns the sites that have a frame in a range of code and are not retired.
pub fn with_frames_in(code: &Range<usize>) -> impl Iterator<Item = SiteId> {
    let has_frame = |site: &Site| site.oldest_first().iter().any(|frame| code.contains(frame));
    (1..SITES.end()).filter(move |&id| {
        get(id).is_some_and(|site| site.retired.load(Ordering::Relaxed) == 0 && has_frame(site))
    })
}

/// Retires the sites that have a frame in a range of unloaded code. Code that is loaded at the same
/// addresses gets new sites.
pub fn retire(code: &Range<usize>) {
    for site in with_frames_in(code).filter_map(get) {
        site.retired.store(1, Ordering::Relaxed);
    }
}

impl Site {
    fn hash(&self) -> u64 {
        self.hash.load(Ordering::Relaxed)
    }

    fn next(&self) -> &AtomicU32 {
        &self.next
    }

    pub(crate) fn releases(&self) -> &AtomicU32 {
        &self.releases
    }

    /// Returns the number of frames that are omitted between the newest and the oldest.
    pub fn omitted(&self) -> u64 {
        self.omitted.load(Ordering::Relaxed).into()
    }

    /// Returns the return addresses, newest first.
    pub fn frames(&self) -> Vec<usize> {
        self.oldest_first().iter().rev().copied().collect()
    }

    /// Returns the return addresses, oldest first.
    #[inline(always)]
    pub fn oldest_first(&self) -> &'static [usize] {
        let count = self.frame_count.load(Ordering::Relaxed) as usize;
        let first = self.frames.load(Ordering::Relaxed);
        if count == 0 {
            return &[];
        }
        // SAFETY: `add` stored the address of `count` contiguous entries of an arena, which never
        // moves or frees them. An atomic integer has the layout of its integer. The entries were
        // written before the site was published in the tree, and they do not change afterwards.
        unsafe { std::slice::from_raw_parts(first, count) }
    }

    /// Returns whether this is the site of a stack, given its frames, oldest first.
    #[inline(always)]
    pub(crate) fn matches(&self, frames: &[usize]) -> bool {
        self.retired.load(Ordering::Relaxed) == 0 && self.oldest_first() == frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intern(frames: &[usize]) -> SiteId {
        intern_addresses(frames, 0)
    }

    #[test]
    fn a_stack_has_one_id() {
        let stack = [0x1000, 0x2000, 0x3000];
        let id = intern(&stack);
        assert_eq!(intern(&stack), id);
        assert_eq!(get(id).unwrap().frames(), [0x3000, 0x2000, 0x1000]);
    }

    #[test]
    fn a_prefix_is_another_stack() {
        assert_ne!(intern(&[0x11, 0x22]), intern(&[0x11, 0x22, 0x33]));
        assert_ne!(intern(&[]), intern(&[0x11]));
    }

    #[test]
    fn stacks_with_the_same_hash_are_distinct() {
        let ids: Vec<SiteId> = (0..20).map(|n| intern_frames(0xfeed, &[0x77, n], 0)).collect();
        for (n, id) in ids.iter().enumerate() {
            assert_eq!(intern_frames(0xfeed, &[0x77, n], 0), *id);
            assert_eq!(get(*id).unwrap().frames(), [n, 0x77]);
        }
    }

    #[test]
    fn hashes_that_differ_in_their_last_bits_are_distinct() {
        let intern = |n: u64| intern_frames(0xabc0_0000_0000_0000 | n, &[n as usize], 0);
        let ids: Vec<SiteId> = (0..500).map(intern).collect();
        assert!((0..500).map(intern).eq(ids.iter().copied()));
        assert!((0..500).all(|n| get(ids[n]).unwrap().frames() == [n]));
    }

    #[test]
    fn a_hundred_thousand_stacks_keep_their_ids() {
        let intern = |n: usize| intern(&[0x5eed, n, n ^ 0x55]);
        let ids: Vec<SiteId> = (0..100_000).map(intern).collect();
        assert!((0..100_000).map(intern).eq(ids.iter().copied()));
        let distinct: std::collections::HashSet<SiteId> = ids.into_iter().collect();
        assert_eq!(distinct.len(), 100_000);
    }

    #[test]
    fn threads_that_intern_a_stack_at_once_get_the_same_id() {
        let ids: Vec<Vec<SiteId>> = std::thread::scope(|scope| {
            let intern_all = || (0..2000).map(|n| intern(&[0xabc, n, n * 7])).collect();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(intern_all)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
