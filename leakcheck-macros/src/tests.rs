//! Expansions and mistakes, on tokens alone.

mod arguments;
mod deferral;
mod functions;
mod modules;
mod placement;

use crate::{attribute, try_attribute};
use proc_macro2::TokenStream;
use quote::quote;

/// The attribute with these arguments turns the item into that.
#[track_caller]
fn expands(args: TokenStream, item: TokenStream, expected: TokenStream) {
    assert_eq!(attribute(args, item).to_string(), expected.to_string());
}

/// The attribute reports exactly these mistakes.
#[track_caller]
fn fails(args: TokenStream, item: TokenStream, expected: &[&str]) {
    let error = try_attribute(args, item).expect_err("a mistake");
    let found: Vec<String> = error.into_iter().map(|error| error.to_string()).collect();
    assert_eq!(found, expected);
}

/// A function without a return value under a check whose options end in these calls.
fn checked(attrs: TokenStream, calls: TokenStream) -> TokenStream {
    quote! {
        #attrs
        fn f() {
            (::leakcheck::__private::check_repeatable)(
                (::leakcheck::__private::options)(::leakcheck::__private::origin!("f")) #calls,
                move || -> () { body(); },
                |_| false
            )
        }
    }
}
