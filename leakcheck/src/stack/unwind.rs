//! Walks the stack of the calling thread.
//!
//! On Linux with glibc on x86_64 by the program's own unwind tables, with the rule of every return
//! address remembered ([`tables`]); elsewhere, and where those rules are not simple, by the platform's
//! unwinder ([`platform`]), which gives the same frames and takes some fifty times as long.

#[cfg(own_walk)]
mod objects;
mod platform;
#[cfg(own_walk)]
mod rule;
#[cfg(own_walk)]
mod tables;

use super::MAX_FRAMES;

/// Return addresses, the newest first.
pub(super) struct Frames {
    addresses: [usize; MAX_FRAMES],
    count: usize,
}

impl Frames {
    #[inline(always)]
    fn push(&mut self, address: usize) -> bool {
        if self.count == MAX_FRAMES {
            return false;
        }
        self.addresses[self.count] = address;
        self.count += 1;
        true
    }

    pub(super) fn as_slice(&self) -> &[usize] {
        &self.addresses[..self.count]
    }
}

/// What a walk's preparation locks, held over a fork.
#[cfg(own_walk)]
pub(crate) type Held = tables::Held;
#[cfg(all(unix, not(own_walk)))]
pub(crate) type Held = ();

#[cfg(unix)]
pub(crate) fn hold() -> Held {
    #[cfg(own_walk)]
    tables::hold()
}

/// Makes ready for walks. To be called when a region opens, outside of the allocator's path.
pub(crate) fn prepare() {
    #[cfg(own_walk)]
    tables::prepare();
}

/// The calling thread's stack. Frames that lie above the stack address `base` belong to the harness
/// and are left out.
#[inline(always)]
pub(super) fn walk(base: usize) -> Frames {
    let mut frames = Frames { addresses: [0; MAX_FRAMES], count: 0 };
    #[cfg(own_walk)]
    if base != crate::thread::WHOLE_STACK && tables::walk(&mut frames, base) {
        return frames;
    }
    frames.count = 0;
    platform::walk(&mut frames, base);
    frames
}

#[cfg(all(test, own_walk))]
mod tests {
    use std::collections::BTreeMap;
    use std::hint::black_box;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn empty() -> Frames {
        Frames { addresses: [0; MAX_FRAMES], count: 0 }
    }

    /// Both walks from here: the frames that they share, the two of this function left out.
    #[inline(never)]
    fn both(base: usize) -> (Vec<usize>, Vec<usize>) {
        let (mut ours, mut theirs) = (empty(), empty());
        assert!(tables::walk(&mut ours, base), "no frame of a test needs another unwinder");
        platform::walk(&mut theirs, base);
        let below_here = |frames: &Frames| {
            let function = |address: &usize| {
                let symbol = crate::stack::symtab::function_at(*address);
                symbol.is_some_and(|name| name.ends_with("unwind::tests::both"))
            };
            let here = frames.as_slice().iter().position(function).expect("the walk passes here");
            frames.as_slice()[here + 1..].to_vec()
        };
        (below_here(&ours), below_here(&theirs))
    }

    #[inline(never)]
    fn agree(base: usize, at_least: usize) {
        let (ours, theirs) = both(base);
        assert_eq!(ours, theirs);
        assert!(ours.len() >= at_least, "{} frames", ours.len());
    }

    /// Calls through many kinds of code, then `then`.
    #[inline(never)]
    fn wander(seed: u64, depth: usize, then: &dyn Fn()) {
        if depth == 0 {
            return then();
        }
        let next = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let go_on = || wander(next, depth - 1, then);
        match next >> 61 {
            0 => go_on(),
            1 => Box::new(go_on)(),
            2 => _ = catch_unwind(AssertUnwindSafe(go_on)).map_err(std::panic::resume_unwind),
            3 => {
                let mut once = Some(go_on);
                [2, 1].sort_by(|a: &i32, b| {
                    once.take().into_iter().for_each(|go_on| go_on());
                    a.cmp(b)
                });
            }
            4 => {
                // A large frame.
                let room = black_box([0_u8; 9000]);
                go_on();
                black_box(&room);
            }
            5 => (0..1).map(|_| go_on()).for_each(drop),
            6 => {
                let map: BTreeMap<u8, &dyn Fn()> = [(1, &go_on as &dyn Fn())].into();
                map.values().for_each(|go_on| go_on());
            }
            _ => {
                let values: (f64, u128) = black_box((1.5, 1 << 99));
                go_on();
                black_box(values);
            }
        }
    }

    #[test]
    fn it_gives_the_frames_of_the_platforms_unwinder() {
        prepare();
        let here = 0_u8;
        let base = &raw const here as usize;
        for seed in 0..2000 {
            wander(seed, (seed % 12) as usize, &|| agree(base, (seed % 12) as usize));
        }
    }

    #[test]
    fn a_stack_deeper_than_the_buffer_keeps_its_newest_frames() {
        let go_deep = || {
            prepare();
            let here = 0_u8;
            let base = &raw const here as usize;
            wander(7, 300, &|| {
                let mut frames = empty();
                assert!(tables::walk(&mut frames, base));
                assert_eq!(frames.as_slice().len(), MAX_FRAMES);
            });
        };
        let roomy = std::thread::Builder::new().stack_size(64 << 20);
        roomy.spawn(go_deep).unwrap().join().unwrap();
    }

    #[test]
    fn a_base_below_leaves_the_older_frames_out() {
        prepare();
        let here = 0_u8;
        let outer = &raw const here as usize;
        wander(3, 5, &|| {
            let here = 0_u8;
            let inner = &raw const here as usize;
            wander(4, 3, &|| {
                let (shorter, _) = both(inner);
                let (longer, _) = both(outer);
                assert!(shorter.len() < longer.len());
                assert_eq!(shorter[1..], longer[1..shorter.len()]);
            });
        });
    }
}
