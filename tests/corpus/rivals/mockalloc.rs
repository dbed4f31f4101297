//! What `mockalloc::assert_allocs` asserts of one call of the trigger. Ends with 23 where it would
//! fail.

use mockalloc::Mockalloc;
use std::alloc::System;

#[global_allocator]
static GLOBAL: Mockalloc<System> = Mockalloc(System);

fn main() {
    // On a separate thread, like a test.
    let result = std::thread::spawn(|| mockalloc::record_allocs(case::trigger).result());
    if let Err(error) = result.join().unwrap() {
        eprintln!("{error:?}");
        std::process::exit(23);
    }
}
