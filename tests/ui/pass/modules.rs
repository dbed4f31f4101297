//! In a build without tests, the attribute leaves a module unchanged.

#![deny(warnings)]

#[leakcheck::leak_check(threshold_mb = 0.5)]
mod basket {
    //! Inner documentation.
    #![allow(dead_code)]

    pub const SIZE: usize = 3;
    pub struct Wide<const N: usize>;

    impl Wide<{ SIZE }> {
        pub fn size(&self) -> usize {
            SIZE
        }
    }

    pub fn helper() -> usize {
        deeper::Wider.size()
    }

    #[test]
    fn only_in_tests() {}

    pub mod deeper {
        #[allow(non_upper_case_globals)]
        pub const Wider: super::Wide<3> = super::Wide;

        #[leakcheck::leak_check(threads = 0)]
        pub fn own() -> usize {
            4
        }
    }

    macro_rules! made {
        ($name:ident) => {
            pub fn $name() -> usize {
                5
            }
        };
    }
    made!(by_a_macro);
}

fn main() {
    assert_eq!(basket::helper(), 3);
    assert_eq!(basket::deeper::own(), 4);
    assert_eq!(basket::by_a_macro(), 5);
}
