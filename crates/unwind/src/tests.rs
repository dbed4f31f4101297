//! Compares four walks of the same stacks: with a walk cache in assembly and in Rust, by rules
//! without a cache, and with the platform's unwinder.

mod deep;
mod foreign;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::registers::Registers;
use crate::walk::{WalkResult, retrace, walk, walk_by_platform};
use crate::walk_cache::{RetraceResult, WalkCache, hash_frames};
use crate::{MAX_FRAMES, OLDEST_FRAMES, platform, rule_cache, uncached};

/// Returns an empty cache.
fn cache() -> Box<WalkCache> {
    let mut cache = Box::<WalkCache>::new_uninit();
    // SAFETY: the box has room for one cache.
    unsafe { cache.as_mut_ptr().write_bytes(0, 1) };
    // SAFETY: all zeros is a valid `WalkCache`.
    let mut cache = unsafe { cache.assume_init() };
    cache.clear();
    cache
}

/// The caches for the walks of one thread.
struct Walker {
    assembly: Box<WalkCache>,
    rust: Box<WalkCache>,
    base: usize,
}

fn completed(
    cache: &mut WalkCache,
    mut retrace: impl FnMut(&mut WalkCache) -> RetraceResult,
) -> Vec<usize> {
    loop {
        match retrace(cache) {
            RetraceResult::Unchanged => break,
            RetraceResult::Changed => {
                cache.finish_walk();
                break;
            }
            RetraceResult::MissingRule => _ = rule_cache::load(cache.missing_rule),
            RetraceResult::TooDeep => assert!(cache.buffer.grow()),
            other => panic!("no frame of a test is {other:?}"),
        }
    }
    cache.frames().to_vec()
}

impl Walker {
    fn new(base: usize) -> Self {
        rule_cache::prepare();
        Self { assembly: cache(), rust: cache(), base }
    }

    /// Walks the stack by rules in all three ways, which must agree. Returns the frames from this
    /// function on, oldest first.
    #[inline(never)]
    fn by_rules(&mut self) -> Vec<usize> {
        let from = Registers::current();
        let base = self.base;
        // SAFETY: `base` is the address of a variable in an older frame of this stack, so the stack
        // in between is live.
        let assembly =
            completed(&mut self.assembly, |cache| unsafe { retrace(cache, &from, base) });
        // SAFETY: `base` is the address of a variable in an older frame of this stack, so the stack
        // in between is live.
        let rust = completed(&mut self.rust, |cache| unsafe { cache.retrace(&from, base) });
        let mut plain = Vec::new();
        // SAFETY: `base` is the address of a variable in an older frame of this stack, so the stack
        // in between is live.
        assert!(unsafe { uncached::walk(&from, base, |address| plain.push(address)) });
        plain.reverse();
        let omitted = plain.len().saturating_sub(MAX_FRAMES);
        if omitted > 0 {
            plain.drain(OLDEST_FRAMES..OLDEST_FRAMES + omitted);
        }
        assert_eq!(assembly, plain);
        assert_eq!(rust, plain);
        assert_eq!([self.assembly.omitted(), self.rust.omitted()], [omitted; 2]);
        assert_eq!(self.assembly.hash(), self.rust.hash());
        assert_eq!(self.assembly.hash(), hash_frames(&plain));
        plain
    }

    #[inline(never)]
    fn by_platform(&self) -> Vec<usize> {
        let mut frames = Vec::new();
        platform::walk(Registers::current().stack_pointer, self.base, |address| {
            frames.push(address)
        });
        frames.reverse();
        frames
    }

    /// Asserts that the walks by rules and the platform's unwinder find the same frames.
    #[inline(never)]
    fn assert_agreement(&mut self, at_least: usize) {
        let (rules, platform) = (self.by_rules(), self.by_platform());
        // The newest two frames are this function and its callee, which differ.
        let shared = rules.len() - 2;
        assert_eq!(rules[..shared], platform[..shared]);
        assert_eq!(rules.len(), platform.len());
        assert!(shared >= at_least, "{shared} frames");
    }
}

fn next(random: u64) -> u64 {
    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}

/// Calls `then` through `depth` functions of various kinds.
#[inline(never)]
fn wander(random: u64, depth: usize, then: &mut dyn FnMut()) {
    if depth == 0 {
        return then();
    }
    let mut recur = || wander(next(random), depth - 1, then);
    match random >> 61 {
        0 => recur(),
        1 => (Box::new(recur) as Box<dyn FnOnce() + '_>)(),
        2 => _ = catch_unwind(AssertUnwindSafe(recur)).map_err(std::panic::resume_unwind),
        3 => {
            let mut once = Some(recur);
            [2, 1].sort_by(|a: &i32, b| {
                once.take().into_iter().for_each(|mut recur| recur());
                a.cmp(b)
            });
        }
        4 => {
            // This frame is large.
            let room = black_box([0_u8; 9000]);
            recur();
            black_box(&room);
        }
        5 => (0..1).for_each(|_| recur()),
        6 => {
            let mut map: BTreeMap<u8, &mut dyn FnMut()> =
                [(1, &mut recur as &mut dyn FnMut())].into();
            map.values_mut().for_each(|recur| recur());
        }
        _ => {
            let values: (f64, u128) = black_box((1.5, 1 << 99));
            recur();
            black_box(values);
        }
    }
}

#[test]
fn all_walks_find_the_frames_of_the_platforms_unwinder() {
    let local = 0_u8;
    let mut walker = Walker::new(&raw const local as usize);
    for seed in 0..3000_u64 {
        let depth = (next(seed) >> 32) as usize % 14;
        wander(next(next(seed)), depth, &mut || walker.assert_agreement(depth));
    }
}

#[test]
fn a_walk_with_a_cache_finds_the_frames_of_a_walk_without_one() {
    let local = 0_u8;
    let mut walker = Walker::new(&raw const local as usize);
    let mut random = 1;
    for _ in 0..40_000 {
        random = next(random);
        // With few seeds and small depths, stacks repeat and differ only in the middle.
        let (seed, depth) = (random >> 58, (random >> 32) as usize % 10);
        wander(next(next(seed)), depth, &mut || _ = walker.by_rules());
    }
}

#[test]
fn an_unchanged_stack_is_detected() {
    let local = 0_u8;
    let base = &raw const local as usize;
    rule_cache::prepare();
    let mut cache = cache();
    wander(5, 7, &mut || {
        let outcomes: Vec<WalkResult> =
            (0..3).map(|_| walk(&mut cache, &Registers::current(), base)).collect();
        assert_eq!(outcomes[1..], [WalkResult::Unchanged, WalkResult::Unchanged]);
    });
}

#[test]
fn a_changed_caller_deep_in_the_stack_is_detected() {
    #[inline(never)]
    fn one(walker: &mut Walker) -> Vec<usize> {
        black_box(walker.by_rules())
    }
    #[inline(never)]
    fn either(first: bool, walker: &mut Walker) -> Vec<usize> {
        // The two calls differ only in their return addresses. The calls of `black_box` keep the
        // compiler from merging them.
        if first {
            black_box(1);
            let stack = one(walker);
            black_box(2);
            stack
        } else {
            black_box(3);
            let stack = one(walker);
            black_box(4);
            stack
        }
    }
    let local = 0_u8;
    let mut walker = Walker::new(&raw const local as usize);
    let mut stacks: Vec<Vec<usize>> = Vec::new();
    for first in [true, false, true, false] {
        // Skip this function, because its loop may have been unrolled.
        stacks.push(either(first, &mut walker)[1..].to_vec());
    }
    assert_eq!(stacks[0], stacks[2]);
    assert_eq!(stacks[1], stacks[3]);
    assert_ne!(stacks[0], stacks[1]);
}

/// Walks the stack, with the platform's unwinder if necessary.
fn walk_with_fallback(cache: &mut WalkCache, from: &Registers, base: usize) {
    if walk(cache, from, base) == WalkResult::NeedsPlatform {
        walk_by_platform(cache, from, base);
    }
}

#[test]
fn frames_above_the_base_are_omitted() {
    let local = 0_u8;
    let outer = &raw const local as usize;
    wander(3, 5, &mut || {
        let local = 0_u8;
        let inner = &raw const local as usize;
        wander(4, 3, &mut || {
            let shorter = Walker::new(inner).by_rules();
            let longer = Walker::new(outer).by_rules();
            assert!(shorter.len() < longer.len());
            let older = longer.len() - shorter.len();
            assert_eq!(shorter[..shorter.len() - 2], longer[older..longer.len() - 2]);
        });
    });
}

#[test]
fn filled_frames_are_kept_oldest_first() {
    let mut cache = cache();
    for count in [0, 1, 95, 96, 97, 127, 128, 129, 160, 1000] {
        cache.fill(|each| (0..count).rev().for_each(each));
        let kept = cache.frames();
        assert_eq!(kept.len(), count.min(MAX_FRAMES));
        assert_eq!(cache.omitted(), count - kept.len());
        let oldest = kept.len().min(OLDEST_FRAMES);
        assert!((0..oldest).eq(kept[..oldest].iter().copied()), "{count}: {kept:?}");
        assert!((count - (kept.len() - oldest)..count).eq(kept[oldest..].iter().copied()));
    }
}
