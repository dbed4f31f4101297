//! The same repeated test for every case, as a user would write it. leakcheck has to find out whether
//! memory grows in proportion to the calls of the trigger.

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

/// These share the statics of the case and the threads of global pools.
mod copies {
    #[leakcheck::leak_check(iterations = "auto")]
    #[test]
    fn first() {
        case::trigger();
    }

    #[leakcheck::leak_check(iterations = "auto")]
    #[test]
    fn second() {
        case::trigger();
    }

    #[leakcheck::leak_check(iterations = "auto")]
    #[test]
    fn third() {
        case::trigger();
    }

    #[leakcheck::leak_check(iterations = "auto")]
    #[test]
    fn fourth() {
        case::trigger();
    }
}
