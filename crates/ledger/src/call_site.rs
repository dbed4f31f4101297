//! The call-site table: every distinct call stack once.
//!
//! Sites are found by the hashes of their stacks in a [tree](tree) that grows with them. A site takes 40 bytes, 8
//! for each of its at most 128 frames, and some 10 in the tree, whatever memory there is for them comes from the
//! system. There are at most [`MOST_SITES`] of them, with [`MOST_FRAMES`] frames in all, which is 0.7 GiB; what is
//! allocated from further ones counts in all figures, but for the split by call site.

#[allow(unsafe_code, reason = "says that zeroed memory is a node")]
mod tree;

use std::ops::Range;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use leakcheck_system::arena::{Arena, Zeroed};
use leakcheck_unwind::walk_cache::WalkCache;

/// The index of a call site; 0 is "unknown".
pub type SiteId = u32;

#[repr(C)]
pub struct Site {
    hash: AtomicU64,
    frames: AtomicPtr<usize>,
    frame_count: AtomicU32,
    /// How many frames are left out between the newest and the oldest.
    omitted: AtomicU32,
    /// The next site with the same hash.
    next: AtomicU32,
    /// The first of the releases that regions have made at this site.
    releases: AtomicU32,
    /// 1 when code of this stack is gone: the same addresses are another stack from now on.
    retired: AtomicU32,
}

// SAFETY: the fields are atomic integers, and a pointer that may be null.
unsafe impl Zeroed for Site {}

pub const MOST_SITES: u32 = 1 << 22;
pub const MOST_FRAMES: u32 = 1 << 26;

static SITES: Arena<Site> = Arena::new(8);
static FRAMES: Arena<AtomicUsize> = Arena::new(12);

#[inline(always)]
pub fn get(id: SiteId) -> Option<&'static Site> {
    SITES.get(id)
}

/// The return addresses of a call site, leaf first; empty where it is unknown.
pub fn addresses(id: SiteId) -> Vec<usize> {
    get(id).map_or(Vec::new(), Site::frames)
}

/// The id of the call stack that a cache holds. 0 when memory is used up.
pub fn intern(cache: &WalkCache) -> SiteId {
    intern_frames(cache.hash(), cache.frames(), cache.omitted())
}

/// The id of a call stack that was noted by its addresses, the oldest first. 0 when memory is used up.
pub fn intern_addresses(frames: &[usize], omitted: usize) -> SiteId {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let hash = frames
        .iter()
        .fold(0, |hash: u64, &at| (hash.rotate_left(5) ^ at as u64).wrapping_mul(FACTOR));
    intern_frames(hash, frames, omitted)
}

/// Frames are the oldest first.
fn intern_frames(hash: u64, frames: &[usize], omitted: usize) -> SiteId {
    tree::find_or_add(hash, |site| site.is(frames), || add(hash, frames, omitted)).unwrap_or(0)
}

fn add(hash: u64, frames: &[usize], omitted: usize) -> Option<SiteId> {
    let count = u32::try_from(frames.len()).ok()?;
    if SITES.end() > MOST_SITES || FRAMES.end() > MOST_FRAMES {
        return None;
    }
    let start = if count == 0 { 0 } else { FRAMES.push_slice(count)? };
    let stored = FRAMES.slice(start, count).unwrap_or_default();
    for (slot, frame) in stored.iter().zip(frames) {
        slot.store(*frame, Ordering::Relaxed);
    }
    let id = SITES.push()?;
    let site = SITES.get(id)?;
    let place = if stored.is_empty() { null_mut() } else { stored.as_ptr().cast_mut().cast() };
    site.hash.store(hash, Ordering::Relaxed);
    site.frames.store(place, Ordering::Relaxed);
    site.frame_count.store(count, Ordering::Relaxed);
    site.omitted.store(u32::try_from(omitted).unwrap_or(u32::MAX), Ordering::Relaxed);
    Some(id)
}

/// The sites that have frames in a stretch of code.
pub fn with_frames_in(code: &Range<usize>) -> impl Iterator<Item = SiteId> {
    let within = |site: &Site| site.oldest_first().iter().any(|frame| code.contains(frame));
    (1..SITES.end()).filter(move |&id| {
        get(id).is_some_and(|site| site.retired.load(Ordering::Relaxed) == 0 && within(site))
    })
}

/// Code is gone: whatever comes in its place makes sites of its own.
pub fn retire(code: &Range<usize>) {
    for site in with_frames_in(code).filter_map(get) {
        site.retired.store(1, Ordering::Relaxed);
    }
}

impl Site {
    pub fn hash(&self) -> u64 {
        self.hash.load(Ordering::Relaxed)
    }

    pub fn next(&self) -> &AtomicU32 {
        &self.next
    }

    pub fn releases(&self) -> &AtomicU32 {
        &self.releases
    }

    /// How many frames between the newest and the oldest were left out.
    pub fn omitted(&self) -> u64 {
        self.omitted.load(Ordering::Relaxed).into()
    }

    /// The return addresses, leaf first.
    pub fn frames(&self) -> Vec<usize> {
        self.oldest_first().iter().rev().copied().collect()
    }

    #[inline(always)]
    fn oldest_first(&self) -> &'static [usize] {
        let count = self.frame_count.load(Ordering::Relaxed) as usize;
        let place = self.frames.load(Ordering::Relaxed);
        if count == 0 {
            return &[];
        }
        // SAFETY: an atomic integer has the layout of its integer. The frames of a site were
        // written before it was published, and whoever has the site has found it through
        // that; nobody writes them again.
        unsafe { std::slice::from_raw_parts(place, count) }
    }

    /// Whether this is the site of a stack, given the oldest frame first.
    #[inline(always)]
    pub fn is(&self, frames: &[usize]) -> bool {
        self.retired.load(Ordering::Relaxed) == 0 && self.oldest_first() == frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intern(frames: &[usize]) -> SiteId {
        let hash = frames.iter().fold(1, |hash: u64, &at| hash.wrapping_mul(31) ^ at as u64);
        intern_frames(hash.wrapping_mul(0x9e37_79b9_7f4a_7c15), frames, 0)
    }

    #[test]
    fn the_same_stack_has_one_id() {
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
    fn stacks_with_one_hash_are_told_apart() {
        let ids: Vec<SiteId> = (0..20).map(|n| intern_frames(0xfeed, &[0x77, n], 0)).collect();
        for (n, id) in ids.iter().enumerate() {
            assert_eq!(intern_frames(0xfeed, &[0x77, n], 0), *id);
            assert_eq!(get(*id).unwrap().frames(), [n, 0x77]);
        }
    }

    #[test]
    fn hashes_that_differ_in_their_last_bits_are_told_apart() {
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
    fn threads_that_meet_a_stack_at_once_agree() {
        let ids: Vec<Vec<SiteId>> = std::thread::scope(|scope| {
            let walk = || (0..2000).map(|n| intern(&[0xabc, n, n * 7])).collect();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(walk)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
