//! Walks of deep stacks.

use super::*;
use crate::uncached::StackFrame;
use crate::walk_cache::{NewFrame, compared_frames};

#[inline(never)]
fn recurse(depth: usize, then: &mut dyn FnMut()) {
    if depth > 0 {
        recurse(black_box(depth - 1), then);
        black_box(depth);
    } else {
        then();
    }
}

/// Recurses through one of two calls that differ only in their return addresses, depending on the
/// next bit of `path`, and calls `then` at some depths on both ways.
#[inline(never)]
fn fork(path: u64, depth: usize, then: &mut dyn FnMut(usize)) {
    if depth == 0 {
        return then(depth);
    }
    if depth.is_multiple_of(61) {
        then(depth);
    }
    if path & 1 == 0 {
        fork(path.rotate_right(1), depth - 1, then);
        black_box(1);
    } else {
        fork(path.rotate_right(1), depth - 1, then);
        black_box(2);
    }
    if depth.is_multiple_of(83) {
        then(depth);
    }
}

fn on_a_large_stack(body: impl FnOnce() + Send + 'static) {
    let builder = std::thread::Builder::new().stack_size(1 << 30);
    builder.spawn(body).unwrap().join().unwrap();
}

#[test]
fn a_deep_stack_keeps_its_newest_and_its_oldest_frames() {
    on_a_large_stack(|| {
        let local = 0_u8;
        let mut walker = Walker::new(&raw const local as usize);
        for depth in [50, 127, 128, 129, 192, 193, 500, 10_000, 30, 3000] {
            recurse(depth, &mut || {
                let kept = walker.by_rules();
                let recursion = kept.iter().filter(|at| **at == kept[kept.len() / 2]).count();
                assert!(depth < 300 || (100..MAX_FRAMES).contains(&recursion), "{recursion}");
            });
        }
    });
}

#[test]
fn deep_stacks_that_differ_anywhere_are_told_apart() {
    on_a_large_stack(|| {
        let local = 0_u8;
        let mut walker = Walker::new(&raw const local as usize);
        let mut random = 7;
        for _ in 0..300 {
            random = next(random);
            // Few bits are set, so that most stacks differ from the previous one in few frames.
            let path = 1 << (random >> 58) | u64::from(random & 1 << 40 != 0);
            let depth = 150 + (random >> 32) as usize % 700;
            fork(path, depth, &mut |_| _ = walker.by_rules());
        }
    });
}

#[test]
fn the_frames_that_a_walk_compares_do_not_increase_with_the_depth() {
    let all = compared_frames(100, true).count();
    assert_eq!(all, 99);
    for reached in [193, 1000, 16_000, 100_000, 1 << 18] {
        let compared: Vec<usize> = compared_frames(reached, false).collect();
        assert!(compared.len() < 2 * all, "{} of {reached}", compared.len());
        assert!(compared.windows(2).all(|pair| pair[0] > pair[1]));
        let newest = MAX_FRAMES - OLDEST_FRAMES;
        assert!(compared[..newest].iter().copied().eq((reached - newest..reached).rev()));
        let oldest = &compared[compared.len() - OLDEST_FRAMES..];
        assert!(oldest.iter().copied().eq((1..=OLDEST_FRAMES).rev()));
    }
}

/// Zeroes the memory of the frames of the next walk, and returns for how many there is room.
fn forget_new_frames(cache: &mut WalkCache) -> usize {
    let frame = StackFrame { address: 0, stack_pointer: 0, frame_pointer: 0 };
    let none = NewFrame { frame, rule: 0 };
    let count = cache.buffer.count();
    (0..10).take_while(|index| cache.buffer.add_new(*index, count, none)).count()
}

/// Walks at each of `depth` depths, and adds the numbers of frames that were unwound by rules.
#[inline(never)]
fn descend(depth: usize, cache: &mut WalkCache, base: usize, unwound: &mut Vec<usize>) {
    let room = forget_new_frames(cache);
    let from = Registers::current();
    // SAFETY: `base` is the address of a variable in an older frame of this stack, so the stack in
    // between is live.
    let result = unsafe { retrace(cache, &from, base) };
    if result == RetraceResult::Changed {
        let is_new = |index: &usize| cache.buffer.new_frame(*index).frame.address != 0;
        unwound.push((0..room).take_while(is_new).count());
    } else {
        assert_eq!(walk(cache, &from, base), WalkResult::Changed);
    }
    if depth > 0 {
        descend(depth - 1, cache, base, unwound);
        black_box(depth);
    }
}

#[test]
fn a_walk_of_a_deep_stack_unwinds_only_new_frames() {
    on_a_large_stack(|| {
        rule_cache::prepare();
        let local = 0_u8;
        let (mut cache, mut unwound) = (cache(), Vec::new());
        descend(100_000, &mut cache, &raw const local as usize, &mut unwound);
        assert!(cache.buffer.count() > 100_000);
        // The others needed memory or rules.
        assert!(unwound.len() > 99_900, "{}", unwound.len());
        assert!(unwound.iter().all(|frames| *frames <= 3), "{:?}", unwound.iter().max());
    });
}

#[test]
fn the_memory_for_a_deep_stack_is_freed() {
    on_a_large_stack(|| {
        rule_cache::prepare();
        let local = 0_u8;
        let base = &raw const local as usize;
        let mut cache = cache();
        recurse(5000, &mut || {
            assert_eq!(walk(&mut cache, &Registers::current(), base), WalkResult::Changed);
        });
        assert!(cache.buffer.memory() > 5000 * 64);
        cache.clear();
        assert_eq!(cache.buffer.memory(), 0);
        recurse(5, &mut || {
            assert_eq!(walk(&mut cache, &Registers::current(), base), WalkResult::Changed);
        });
        assert!((1..2500).contains(&cache.buffer.memory()), "{}", cache.buffer.memory());
    });
}
