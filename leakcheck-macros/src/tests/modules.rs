use super::{expands, fails};
use proc_macro2::TokenStream;
use quote::quote;

/// A module whose items become these, `GIVEN` standing for the attribute that the module gives.
#[track_caller]
fn spreads(items: TokenStream, expected: TokenStream) {
    let given = quote!(::leakcheck::leak_check(top = 1));
    let module = quote!(#[cfg(test)] pub mod tests { #items });
    let found = crate::attribute(quote!(top = 1), module).to_string();
    let expected = quote!(#[cfg(test)] #[cfg_attr(test, cfg(test))] pub mod tests { #expected });
    let expected = expected.to_string();
    assert_eq!(found, expected.replace("GIVEN", &given.to_string()));
}

#[test]
fn each_test_function_gets_the_attribute() {
    for test in [
        quote!(#[test]),
        quote!(#[tokio::test(flavor = "current_thread")]),
        quote!(#[rstest] #[case(1)]),
        quote!(#[test_case(1)] #[test_case(2)]),
        quote!(#[wasm_bindgen_test]),
        quote!(#[quickcheck_macros::quickcheck]),
        quote!(#[cfg_attr(unix, ignore, test)]),
        quote!(#[apply(template)]),
    ] {
        spreads(
            quote!(#test fn f(n: u8) { body() }),
            quote!(#test #[GIVEN] fn f(n: u8) { body() }),
        );
    }
}

#[test]
fn other_items_stay_as_they_are() {
    let others = quote! {
        #![allow(unused)]
        use super::*;
        const N: [u8; { 3 }] = [0; { 3 }];
        fn helper() {}
        struct S<const N: usize = { 3 }> { field: u8 }
        impl S<{ N }> for T { #[test] fn method() {} }
        proptest! { #[test] fn inside(n in 0..3) {} }
        thread_local!(static X: u8 = { 3 });
        #[template] #[rstest] #[case(1)] fn template(n: u8) {}
        mod file;
    };
    spreads(quote!(#others #[test] fn f() {}), quote!(#others #[test] #[GIVEN] fn f() {}));
}

#[test]
fn inner_modules_are_entered() {
    spreads(
        quote!(
            mod a {
                pub(super) mod b {
                    #[test]
                    fn f() {}
                }
            }
        ),
        quote!(
            mod a {
                pub(super) mod b {
                    #[test]
                    #[GIVEN]
                    fn f() {}
                }
            }
        ),
    );
}

#[test]
fn an_own_attribute_wins() {
    let own = quote! {
        #[test] #[leak_check(skip)] fn f() {}
        #[::leakcheck::leak_check(top = 3)] mod inner { #[test] fn f() {} }
    };
    spreads(own.clone(), own);
}

#[test]
fn an_own_attribute_under_a_condition_wins_there() {
    let own = quote!(#[cfg_attr(miri, leak_check(skip))]);
    spreads(
        quote!(#own #[test] fn f() {} #own mod inner { #[test] fn f() {} }),
        quote! {
            #own #[test] #[cfg_attr(not(any(miri)), GIVEN)] fn f() {}
            #own #[cfg_attr(not(any(miri)), GIVEN)] mod inner { #[test] fn f() {} }
        },
    );
}

#[test]
fn the_path_to_the_library_is_handed_on() {
    expands(
        quote!(crate = my::leakcheck),
        quote!(
            mod tests {
                #[test]
                fn f() {}
            }
        ),
        quote! {
            #[cfg_attr(test, cfg(test))] mod tests { #[test] #[my::leakcheck::leak_check(crate = my::leakcheck)] fn f() {} }
        },
    );
}

#[test]
fn a_module_without_tests_is_an_error() {
    let message = "no test functions found in module `tests`: put the attribute on the functions";
    fails(
        quote!(),
        quote!(
            mod tests {
                fn helper() {}
            }
        ),
        &[message],
    );
}

#[test]
fn a_mistake_keeps_the_module() {
    expands(
        quote!(top = 0),
        quote!(
            mod tests {
                #[test]
                fn f() {}
            }
        ),
        quote! {
            mod tests { #[test] fn f() {} }
            ::core::compile_error! { "`top` expects at least 1 call site, found `0`" }
        },
    );
}
