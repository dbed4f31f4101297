//! The same repeated test for every case, as a user would write it: leakcheck has to find out whether
//! memory grows with every call of the trigger.

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

/// Statics of a case are shared by them, as are the threads of global pools.
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
