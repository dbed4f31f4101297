//! As `repeated.rs`, without copies, for `notify-watch-timer-thread`, which leaves a thread behind in
//! each call, and `moka-evict-keys`, whose fixed version leaks as well once many threads share a cache.

mod neighbour;

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
