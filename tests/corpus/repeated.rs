//! The test that every case gets, as one would write it: whether what a call of the trigger leaves
//! behind keeps coming is for leakcheck to find out.

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
