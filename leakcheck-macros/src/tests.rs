//! Expansions and errors, tested on tokens.

mod arguments;
mod deferral;
mod functions;
mod modules;
mod placement;

use crate::{expand_or_report, try_expand};
use proc_macro2::TokenStream;
use quote::quote;

/// Asserts that the attribute with `args` expands `item` to `expected`.
#[track_caller]
fn expands(args: TokenStream, item: TokenStream, expected: TokenStream) {
    assert_eq!(expand_or_report(args, item).to_string(), expected.to_string());
}

/// Asserts that the attribute reports exactly the `expected` errors.
#[track_caller]
fn fails(args: TokenStream, item: TokenStream, expected: &[&str]) {
    let error = try_expand(args, item).expect_err("expected an error");
    let found: Vec<String> = error.into_iter().map(|error| error.to_string()).collect();
    assert_eq!(found, expected);
}

/// The expansion of a function without a return value, with `setters` called on the options.
fn wrapped(attrs: TokenStream, setters: TokenStream) -> TokenStream {
    quote! {
        #attrs
        fn f() {
            (::leakcheck::__private::check_repeatable)(
                (::leakcheck::__private::options)(::leakcheck::__private::origin!("f")) #setters,
                move || -> () { body(); },
                |_| false
            )
        }
    }
}
