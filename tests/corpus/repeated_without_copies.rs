//! The tests of `repeated.rs` without the copies. It is for `notify-watch-timer-thread`, which leaves
//! a thread behind in each call, and `moka-evict-keys`, whose fixed version also leaks when many
//! threads share a cache.

mod other_tests;

#[leakcheck::leak_check(iterations = "auto")]
#[test]
fn alone() {
    case::trigger();
}

mod beside_others {
    #[leakcheck::leak_check(iterations = "auto")]
    #[test]
    fn repeated() {
        case::trigger();
    }
}
