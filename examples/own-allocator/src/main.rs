//! Lesson 10: a program with its own allocator.
//!
//!     cargo test --manifest-path examples/own-allocator/Cargo.toml
//!
//! The run ends green. The program uses mimalloc, and so do its tests, wrapped in leakcheck's counting allocator. The
//! dependency on leakcheck disables the default feature `install`, see `Cargo.toml`. Without the second static below,
//! every check would fail and say that the counting allocator is not installed, because it could not see any leak.

use mimalloc::MiMalloc;

#[cfg(not(test))]
#[global_allocator]
static ALLOC: MiMalloc = MiMalloc;

#[cfg(test)]
#[global_allocator]
static ALLOC: leakcheck::Alloc<MiMalloc> = leakcheck::Alloc::new(MiMalloc);

fn longest_line(text: &str) -> Option<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort_by_key(String::len);
    lines.pop()
}

fn main() {
    let text = std::env::args().nth(1).unwrap_or_default();
    println!("{}", longest_line(&text).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[leakcheck::leak_check(threshold_bytes = 0)]
    #[test]
    fn the_longest_line_is_found() {
        assert_eq!(longest_line("one\nthree\ntwo").as_deref(), Some("three"));
    }

    /// Allocations of mimalloc are counted too.
    #[test]
    fn a_leak_is_seen() {
        let measured = leakcheck::measure(|| _ = longest_line("one\nthree\ntwo").map(String::leak));
        assert_eq!(measured.retained.bytes, 5);
    }
}
