//! dhat's `curr_bytes` before and after `CALLS` calls of the trigger, with `BEFORE` calls ahead of
//! them. Ends with 23 where it has grown.

use dhat::{Alloc, HeapStats, Profiler};

#[global_allocator]
static GLOBAL: Alloc = Alloc;

fn main() {
    let numbers: Vec<u32> = std::env::args().skip(1).map(|arg| arg.parse().unwrap()).collect();
    let [before, calls] = numbers[..] else { panic!("two numbers of calls are given") };
    let _profiler = Profiler::builder().testing().build();
    // On a thread of its own, as a test.
    let grown = std::thread::spawn(move || {
        (0..before).for_each(|_| case::trigger());
        let begin = HeapStats::get().curr_bytes;
        (0..calls).for_each(|_| case::trigger());
        HeapStats::get().curr_bytes > begin
    });
    if grown.join().unwrap() {
        std::process::exit(23);
    }
}
