//! The call-site table: every distinct call stack once.
//!
//! Insert-only and lock-free: a site is published at the head of its bucket's list and never
//! changes afterwards.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::arena::{Arena, Zeroed};

/// The index of a call site; 0 is "unknown".
pub(crate) type SiteId = u32;

#[repr(C)]
pub(crate) struct Site {
    hash: AtomicU64,
    frames: AtomicU32,
    frame_count: AtomicU32,
    /// The next site in the same bucket.
    next: AtomicU32,
    /// The first of the records that regions have at this site.
    records: AtomicU32,
}

// SAFETY: the fields are atomic integers.
unsafe impl Zeroed for Site {}

const BUCKET_BITS: u32 = 16;

static BUCKETS: [AtomicU32; 1 << BUCKET_BITS] = [const { AtomicU32::new(0) }; 1 << BUCKET_BITS];
static SITES: Arena<Site> = Arena::new(8);
static FRAMES: Arena<AtomicUsize> = Arena::new(12);

#[inline(always)]
pub(crate) fn get(id: SiteId) -> Option<&'static Site> {
    SITES.get(id)
}

/// The id of a call stack, given as return addresses from the leaf down. 0 when memory is used up.
pub(crate) fn intern(frames: &[usize]) -> SiteId {
    let hash = hash(frames);
    let bucket = &BUCKETS[(hash >> (64 - BUCKET_BITS)) as usize];
    let mut head = bucket.load(Ordering::Acquire);
    if let Some(id) = find(head, 0, hash, frames) {
        return id;
    }
    let Some(id) = add(hash, frames) else { return 0 };
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

fn add(hash: u64, frames: &[usize]) -> Option<SiteId> {
    let count = u32::try_from(frames.len()).ok()?;
    let start = if count == 0 { 0 } else { FRAMES.push_slice(count)? };
    for (slot, frame) in FRAMES.slice(start, count).unwrap_or_default().iter().zip(frames) {
        slot.store(*frame, Ordering::Relaxed);
    }
    let id = SITES.push()?;
    let site = SITES.get(id)?;
    site.hash.store(hash, Ordering::Relaxed);
    site.frames.store(start, Ordering::Relaxed);
    site.frame_count.store(count, Ordering::Relaxed);
    Some(id)
}

/// Runs at every allocation, in most users' tests without optimisation, where an iterator costs ten
/// times its loop.
fn hash(frames: &[usize]) -> u64 {
    let mut hash = 0x517c_c1b7_2722_0a95_u64;
    let mut index = 0;
    while index < frames.len() {
        hash = (hash.rotate_left(5) ^ frames[index] as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        index += 1;
    }
    hash
}

impl Site {
    pub(crate) fn records(&self) -> &AtomicU32 {
        &self.records
    }

    /// The return addresses, leaf first.
    pub(crate) fn frames(&self) -> &'static [usize] {
        let start = self.frames.load(Ordering::Relaxed);
        let count = self.frame_count.load(Ordering::Relaxed);
        let stored = FRAMES.slice(start, count).unwrap_or_default();
        // SAFETY: an atomic integer has the layout of its integer. The frames of a site were written
        // before it was published, and whoever has the site has found it through that; nobody
        // writes them again.
        unsafe { std::slice::from_raw_parts(stored.as_ptr().cast(), stored.len()) }
    }

    fn is(&self, frames: &[usize]) -> bool {
        self.frames() == frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_stack_has_one_id() {
        let stack = [0x1000, 0x2000, 0x3000];
        let id = intern(&stack);
        assert_eq!(intern(&stack), id);
        assert_eq!(get(id).unwrap().frames(), stack);
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
