//! The call-site table: every distinct call stack once.
//!
//! Insert-only and lock-free: a site is published at the head of its bucket's list and never
//! changes afterwards.

use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use super::unwind::trail::Trail;
use crate::arena::{Arena, Zeroed};

/// The index of a call site; 0 is "unknown".
pub(crate) type SiteId = u32;

#[repr(C)]
pub(crate) struct Site {
    hash: AtomicU64,
    frames: AtomicPtr<usize>,
    frame_count: AtomicU32,
    /// How many frames are left out between the newest and the oldest.
    omitted: AtomicU32,
    /// The next site in the same bucket.
    next: AtomicU32,
    /// The first of the releases that regions have made at this site.
    releases: AtomicU32,
}

// SAFETY: the fields are atomic integers, and a pointer that may be null.
unsafe impl Zeroed for Site {}

const BUCKET_BITS: u32 = 16;

static BUCKETS: [AtomicU32; 1 << BUCKET_BITS] = [const { AtomicU32::new(0) }; 1 << BUCKET_BITS];
static SITES: Arena<Site> = Arena::new(8);
static FRAMES: Arena<AtomicUsize> = Arena::new(12);

#[inline(always)]
pub(crate) fn get(id: SiteId) -> Option<&'static Site> {
    SITES.get(id)
}

/// The id of the call stack that a trail holds. 0 when memory is used up.
pub(crate) fn intern(trail: &Trail) -> SiteId {
    intern_frames(trail.hash(), trail.frames(), trail.omitted())
}

/// Frames are the oldest first.
fn intern_frames(hash: u64, frames: &[usize], omitted: usize) -> SiteId {
    let bucket = &BUCKETS[(hash >> (64 - BUCKET_BITS)) as usize];
    let mut head = bucket.load(Ordering::Acquire);
    if let Some(id) = find(head, 0, hash, frames) {
        return id;
    }
    let Some(id) = add(hash, frames, omitted) else { return 0 };
    loop {
        SITES.get(id).inspect(|site| site.next.store(head, Ordering::Relaxed));
        match bucket.compare_exchange(head, id, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return id,
            Err(now) => {
                // Another thread was faster; if it added this very stack, ours stays unused.
                if let Some(theirs) = find(now, head, hash, frames) {
                    return theirs;
                }
                head = now;
            }
        }
    }
}

/// Looks through a bucket's list, from `id` up to but without `end`.
fn find(mut id: SiteId, end: SiteId, hash: u64, frames: &[usize]) -> Option<SiteId> {
    while id != end {
        let site = SITES.get(id)?;
        if site.hash.load(Ordering::Relaxed) == hash && site.is(frames) {
            return Some(id);
        }
        id = site.next.load(Ordering::Relaxed);
    }
    None
}

fn add(hash: u64, frames: &[usize], omitted: usize) -> Option<SiteId> {
    let count = u32::try_from(frames.len()).ok()?;
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

impl Site {
    pub(crate) fn releases(&self) -> &AtomicU32 {
        &self.releases
    }

    /// How many frames between the newest and the oldest were left out.
    pub(crate) fn omitted(&self) -> u64 {
        self.omitted.load(Ordering::Relaxed).into()
    }

    /// The return addresses, leaf first.
    pub(crate) fn frames(&self) -> Vec<usize> {
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
    pub(crate) fn is(&self, frames: &[usize]) -> bool {
        self.oldest_first() == frames
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
    fn threads_that_meet_a_stack_at_once_agree() {
        let ids: Vec<Vec<SiteId>> = std::thread::scope(|scope| {
            let walk = || (0..2000).map(|n| intern(&[0xabc, n, n * 7])).collect();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(walk)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
