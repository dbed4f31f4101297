//! Doc comments, `cfg` conditions and built-in attributes are kept on the function.

#![deny(warnings, missing_docs)]

use leakcheck::leak_check;

/// The `missing_docs` lint fails if the doc comments below are lost.
pub mod documented {
    use super::leak_check;

    /// Above.
    #[leak_check]
    /// Below.
    pub fn function() {}
}

#[cfg(any())]
#[leak_check]
fn twin() -> u8 {
    1
}

#[leak_check]
#[cfg(all())]
fn twin() -> u8 {
    2
}

#[leak_check]
#[unsafe(no_mangle)]
extern "C" fn leakcheck_tests_symbol() -> u8 {
    3
}

#[leak_check]
#[deprecated]
fn deprecated() {}

#[inline(always)]
#[leak_check]
#[cold]
fn with_inner_attributes() -> u8 {
    #![allow(clippy::needless_return, unused_variables)]
    let unused = 1;
    return 4;
}

#[cfg_attr(all(), leak_check(threads = 0))]
fn conditional() -> u8 {
    5
}

#[must_use]
#[leak_check]
fn important() -> u8 {
    6
}

fn main() {
    unsafe extern "C" {
        #[link_name = "leakcheck_tests_symbol"]
        safe fn symbol() -> u8;
    }
    documented::function();
    assert_eq!(twin(), 2);
    assert_eq!(leakcheck_tests_symbol() + symbol(), 6);
    #[expect(deprecated)]
    deprecated();
    assert_eq!(with_inner_attributes(), 4);
    assert_eq!(conditional(), 5);
    #[expect(unused_must_use)]
    important();
}
