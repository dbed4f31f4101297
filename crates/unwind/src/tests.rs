//! Four walks of the same stacks: along a cache in assembly and in Rust, by rules, and by the
//! platform's unwinder.

mod foreign;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::registers::Registers;
use crate::walk::{Walk, retrace, walk, walk_by_platform};
use crate::walk_cache::{Outcome, WalkCache};
use crate::{MAX_FRAMES, OLDEST_FRAMES, plain, platform, rules};

/// Room for a cache, which is too large for a stack.
fn cache() -> Box<WalkCache> {
    let mut cache = Box::<WalkCache>::new_uninit();
    // SAFETY: one cache has room there.
    unsafe { cache.as_mut_ptr().write_bytes(0, 1) };
    // SAFETY: all zeros is a cache once it was told to forget.
    let mut cache = unsafe { cache.assume_init() };
    cache.forget();
    cache
}

/// The caches that a thread keeps over many walks.
struct Walker {
    assembly: Box<WalkCache>,
    rust: Box<WalkCache>,
    base: usize,
}

fn settled(
    cache: &mut WalkCache,
    mut retrace: impl FnMut(&mut WalkCache) -> Outcome,
) -> Vec<usize> {
    loop {
        match retrace(cache) {
            Outcome::Same => break,
            Outcome::New => {
                cache.settle();
                break;
            }
            Outcome::Unknown => _ = rules::learn(cache.unknown),
            other => panic!("no frame of a test is {other:?}"),
        }
    }
    cache.frames().to_vec()
}

impl Walker {
    fn new(base: usize) -> Self {
        rules::prepare();
        Self { assembly: cache(), rust: cache(), base }
    }

    /// All walks by rules from here, which have to agree; the frames above this function, the
    /// oldest first.
    #[inline(never)]
    fn by_rules(&mut self) -> Vec<usize> {
        let from = Registers::current();
        let base = self.base;
        // SAFETY: `base` is the address of a variable in an older frame of this stack.
        let assembly = settled(&mut self.assembly, |cache| unsafe { retrace(cache, &from, base) });
        // SAFETY: as above.
        let rust = settled(&mut self.rust, |cache| unsafe { cache.retrace(&from, base) });
        let mut plain = Vec::new();
        // SAFETY: as above.
        assert!(unsafe { plain::walk(&from, base, |address| plain.push(address)) });
        plain.reverse();
        assert_eq!(assembly, plain);
        assert_eq!(rust, plain);
        assert_eq!(self.assembly.hash(), self.rust.hash());
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

    /// What all walks say of the stack above this function.
    #[inline(never)]
    fn agree(&mut self, at_least: usize) {
        let (rules, platform) = (self.by_rules(), self.by_platform());
        // The newest two are this function, which called both, and the one that it called.
        let shared = rules.len() - 2;
        assert_eq!(rules[..shared], platform[..shared]);
        assert_eq!(rules.len(), platform.len());
        assert!(shared >= at_least, "{shared} frames");
    }
}

fn next(random: u64) -> u64 {
    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}

/// Calls through many kinds of code, then `then`.
#[inline(never)]
fn wander(random: u64, depth: usize, then: &mut dyn FnMut()) {
    if depth == 0 {
        return then();
    }
    let mut go_on = || wander(next(random), depth - 1, then);
    match random >> 61 {
        0 => go_on(),
        1 => (Box::new(go_on) as Box<dyn FnOnce() + '_>)(),
        2 => _ = catch_unwind(AssertUnwindSafe(go_on)).map_err(std::panic::resume_unwind),
        3 => {
            let mut once = Some(go_on);
            [2, 1].sort_by(|a: &i32, b| {
                once.take().into_iter().for_each(|mut go_on| go_on());
                a.cmp(b)
            });
        }
        4 => {
            // A large frame.
            let room = black_box([0_u8; 9000]);
            go_on();
            black_box(&room);
        }
        5 => (0..1).for_each(|_| go_on()),
        6 => {
            let mut map: BTreeMap<u8, &mut dyn FnMut()> =
                [(1, &mut go_on as &mut dyn FnMut())].into();
            map.values_mut().for_each(|go_on| go_on());
        }
        _ => {
            let values: (f64, u128) = black_box((1.5, 1 << 99));
            go_on();
            black_box(values);
        }
    }
}

#[test]
fn all_walks_give_the_frames_of_the_platforms_unwinder() {
    let here = 0_u8;
    let mut walker = Walker::new(&raw const here as usize);
    for seed in 0..3000_u64 {
        let depth = (next(seed) >> 32) as usize % 14;
        wander(next(next(seed)), depth, &mut || walker.agree(depth));
    }
}

#[test]
fn a_walk_with_a_cache_finds_the_frames_of_a_walk_without_one() {
    let here = 0_u8;
    let mut walker = Walker::new(&raw const here as usize);
    let mut random = 1;
    for _ in 0..40_000 {
        random = next(random);
        // Few seeds and small depths, so that stacks come again and differ in the middle only.
        let (seed, depth) = (random >> 58, (random >> 32) as usize % 10);
        wander(next(next(seed)), depth, &mut || _ = walker.by_rules());
    }
}

#[test]
fn the_same_stack_is_noticed() {
    let here = 0_u8;
    let base = &raw const here as usize;
    rules::prepare();
    let mut cache = cache();
    wander(5, 7, &mut || {
        let outcomes: Vec<Walk> =
            (0..3).map(|_| walk(&mut cache, &Registers::current(), base)).collect();
        assert_eq!(outcomes[1..], [Walk::Same, Walk::Same]);
    });
}

#[test]
fn a_caller_that_changes_deep_in_the_stack_is_noticed() {
    #[inline(never)]
    fn one(walker: &mut Walker) -> Vec<usize> {
        black_box(walker.by_rules())
    }
    #[inline(never)]
    fn either(first: bool, walker: &mut Walker) -> Vec<usize> {
        // The two calls differ in their return addresses and in nothing that a walk sees; what is around
        // them keeps them two.
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
    let here = 0_u8;
    let mut walker = Walker::new(&raw const here as usize);
    let mut stacks: Vec<Vec<usize>> = Vec::new();
    for first in [true, false, true, false] {
        // Without this function, whose loop may have become four calls.
        stacks.push(either(first, &mut walker)[1..].to_vec());
    }
    assert_eq!(stacks[0], stacks[2]);
    assert_eq!(stacks[1], stacks[3]);
    assert_ne!(stacks[0], stacks[1]);
}

/// A walk, by the platform's unwinder where rules do not lead.
fn walk_anyhow(cache: &mut WalkCache, from: &Registers, base: usize) {
    if walk(cache, from, base) == Walk::NeedsPlatform {
        walk_by_platform(cache, from, base);
    }
}

#[inline(never)]
fn recurse(depth: usize, then: &mut dyn FnMut()) {
    if depth > 0 {
        recurse(black_box(depth - 1), then);
        black_box(depth);
    } else {
        then();
    }
}

fn on_a_large_stack(body: impl FnOnce() + Send + 'static) {
    let roomy = std::thread::Builder::new().stack_size(256 << 20);
    roomy.spawn(body).unwrap().join().unwrap();
}

#[test]
fn a_deep_stack_keeps_its_newest_and_its_oldest_frames() {
    on_a_large_stack(|| {
        rules::prepare();
        let here = 0_u8;
        let base = &raw const here as usize;
        // Within a cache's room, and beyond it.
        for depth in [500, 10_000] {
            let mut cache = cache();
            recurse(depth, &mut || {
                let mut all = Vec::new();
                let from = Registers::current();
                // SAFETY: `base` is the address of a variable in an older frame of this stack.
                assert!(unsafe { plain::walk(&from, base, |at| all.push(at)) });
                all.reverse();
                walk_anyhow(&mut cache, &from, base);
                let (kept, omitted) = (cache.frames().to_vec(), cache.omitted());
                assert_eq!(kept.len(), MAX_FRAMES);
                assert_eq!(kept[..OLDEST_FRAMES], all[..OLDEST_FRAMES]);
                let (repeated, recursion) = (all[OLDEST_FRAMES + 9], &kept[OLDEST_FRAMES..]);
                assert!(recursion.iter().filter(|&&at| at == repeated).count() > 80);
                assert!(omitted > depth - MAX_FRAMES && omitted < depth, "{omitted} of {depth}");
            });
        }
    });
}

#[test]
fn a_base_below_leaves_the_older_frames_out() {
    let here = 0_u8;
    let outer = &raw const here as usize;
    wander(3, 5, &mut || {
        let here = 0_u8;
        let inner = &raw const here as usize;
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
fn a_stack_from_elsewhere_is_kept_in_the_same_order() {
    let mut cache = cache();
    for count in [0, 1, 95, 96, 97, 127, 128, 129, 160, 1000] {
        cache.take(|each| (0..count).rev().for_each(each));
        let kept = cache.frames();
        assert_eq!(kept.len(), count.min(MAX_FRAMES));
        assert_eq!(cache.omitted(), count - kept.len());
        let oldest = kept.len().min(OLDEST_FRAMES);
        assert!((0..oldest).eq(kept[..oldest].iter().copied()), "{count}: {kept:?}");
        assert!((count - (kept.len() - oldest)..count).eq(kept[oldest..].iter().copied()));
    }
}
