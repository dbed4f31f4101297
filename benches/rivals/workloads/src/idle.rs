//! Threads that allocate a little and then wait for each other.

use std::hint::black_box;
use std::sync::Barrier;

use crate::Watch;
use crate::churn::block;

pub(crate) fn threads(count: u64, watch: Watch) -> u64 {
    let all = Barrier::new(count as usize);
    std::thread::scope(|scope| {
        for _ in 0..count {
            let run = || {
                watch(&mut || {
                    let block = black_box(block(1, 100));
                    all.wait();
                    drop(block);
                });
            };
            let thread = std::thread::Builder::new().stack_size(64 << 10).spawn_scoped(scope, run);
            thread.expect("a thread");
        }
    });
    count
}
