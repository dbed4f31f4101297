//! Names of the user do not conflict with the expansion, and the body does not see names of the expansion.

#![no_implicit_prelude]
#![deny(warnings)]

use ::leakcheck::leak_check;

mod core {}
mod std {}
mod leakcheck {}

#[allow(dead_code)]
mod types {
    pub struct Option;
    pub struct Result;
    pub struct Box;
    pub struct Some;
}

#[allow(unused_macros)]
macro_rules! module_path {
    () => {
        compile_error!("not this one")
    };
}

#[leak_check(kind = "unit", skip = "why")]
fn takes(value: u8, options: u8, check: u8, origin: u8) -> u8 {
    #[allow(unused_imports)]
    use types::{Box, Option, Result, Some};
    value + options + check + origin
}

#[leak_check(scope = "test", measure = "net")]
async fn takes_later(value: u8, failed: u8) -> u8 {
    #[allow(unused_imports)]
    use types::{Box, Option, Result, Some};
    value + failed
}

fn main() {
    ::core::assert_eq!(takes(1, 2, 3, 4), 10);
    ::core::mem::drop(takes_later(1, 2));
}
