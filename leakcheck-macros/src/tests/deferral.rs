use super::{expands, wrapped};
use proc_macro2::TokenStream;
use quote::quote;

#[track_caller]
fn defers(item: TokenStream, expected: TokenStream) {
    expands(quote!(top = 1), item, expected);
}

#[track_caller]
fn wraps(args: TokenStream, attrs: TokenStream) {
    let item = quote!(#attrs fn f() { body(); });
    expands(args, item, wrapped(attrs, quote!(.top(1u64))));
}

#[test]
fn another_macro_expands_first() {
    defers(
        quote!(
            #[tokio::test]
            async fn f() {
                body();
            }
        ),
        quote! {
            #[tokio::test] #[::leakcheck::leak_check(__deferred = 1usize, top = 1)]
            async fn f() { body(); }
        },
    );
}

#[test]
fn attributes_of_parameters_are_kept() {
    defers(
        quote!(
            #[rstest]
            #[case(1)]
            fn f(#[case] n: u8, #[values(1, 2)] m: u8) {}
        ),
        quote! {
            #[rstest] #[case(1)] #[::leakcheck::leak_check(__deferred = 2usize, top = 1)]
            fn f(#[case] n: u8, #[values(1, 2)] m: u8) {}
        },
    );
}

#[test]
fn the_path_to_the_library_is_kept() {
    expands(
        quote!(crate = my::leakcheck),
        quote!(
            #[tokio::test]
            async fn f() {}
        ),
        quote! {
            #[tokio::test] #[my::leakcheck::leak_check(__deferred = 1usize, crate = my::leakcheck)]
            async fn f() {}
        },
    );
}

#[test]
fn the_body_is_wrapped_after_the_other_macros() {
    wraps(quote!(__deferred = 1usize, top = 1), quote!(#[::core::prelude::v1::test]));
}

#[test]
fn an_attribute_that_nothing_expands_does_not_defer_forever() {
    wraps(quote!(__deferred = 1usize, top = 1), quote!(#[third_party::marker]));
}

#[test]
fn macros_that_were_moved_after_it_expand_first() {
    expands(
        quote!(__deferred = 3usize, top = 1),
        quote!(
            #[allow(unused)]
            #[tokio::test]
            async fn f() {}
        ),
        quote! {
            #[allow(unused)] #[tokio::test] #[::leakcheck::leak_check(__deferred = 1usize, top = 1)]
            async fn f() {}
        },
    );
}

#[test]
fn built_in_and_tool_attributes_do_not_defer() {
    wraps(
        quote!(top = 1),
        quote! {
            #[test] #[ignore] #[inline(never)] #[track_caller] #[unsafe(no_mangle)] #[cfg(unix)]
            #[rustfmt::skip] #[expect(unused, reason = "x")] #[clippy::cognitive_complexity = "1"]
        },
    );
}

#[test]
fn a_third_party_macro_may_be_named_test() {
    for item in [
        quote!(
            #[test]
            async fn f() {}
        ),
        quote!(
            #[test(tokio::test)]
            fn f() {}
        ),
        quote!(
            #[test]
            fn f(fixture: u8) {}
        ),
    ] {
        let mut tokens: Vec<_> = item.clone().into_iter().collect();
        let rest: TokenStream = tokens.split_off(2).into_iter().collect();
        let first: TokenStream = tokens.into_iter().collect();
        let expected =
            quote!(#first #[::leakcheck::leak_check(__deferred = 1usize, top = 1)] #rest);
        defers(item, expected);
    }
}

#[test]
fn errors_are_reported_before_other_macros_expand() {
    expands(
        quote!(top = 0),
        quote!(
            #[tokio::test]
            async fn f() {}
        ),
        quote! {
            #[tokio::test] async fn f() {}
            ::core::compile_error! { "`top` expects at least 1 call site, found `0`" }
        },
    );
}
