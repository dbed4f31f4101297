//! `CALLS` calls of the trigger, for LeakSanitizer, which looks when the process ends, and ends it
//! with 23 where there is a leak.

fn main() {
    let calls: u32 = std::env::args().nth(1).expect("calls are given").parse().unwrap();
    // On a separate thread, like a test: stale pointers on the main stack would hide leaks.
    std::thread::spawn(move || (0..calls).for_each(|_| case::trigger())).join().unwrap();
}
