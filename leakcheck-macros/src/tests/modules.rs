use super::{expands, fails};
use proc_macro2::TokenStream;
use quote::quote;

/// Asserts how the items of a module expand; `ADDED` stands for the attribute that the module adds.
#[track_caller]
fn applies(items: TokenStream, expected: TokenStream) {
    let added = quote!(::leakcheck::leak_check(top = 1));
    let module = quote!(#[cfg(test)] pub mod tests { #items });
    let found = crate::expand_or_report(quote!(top = 1), module).to_string();
    let expected = quote!(#[cfg(test)] #[cfg_attr(test, cfg(test))] pub mod tests { #expected });
    let expected = expected.to_string();
    assert_eq!(found, expected.replace("ADDED", &added.to_string()));
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
        applies(
            quote!(#test fn f(n: u8) { body() }),
            quote!(#test #[ADDED] fn f(n: u8) { body() }),
        );
    }
}

#[test]
fn other_items_are_unchanged() {
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
    applies(quote!(#others #[test] fn f() {}), quote!(#others #[test] #[ADDED] fn f() {}));
}

#[test]
fn tests_of_inner_modules_get_the_attribute() {
    applies(
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
                    #[ADDED]
                    fn f() {}
                }
            }
        ),
    );
}

#[test]
fn an_attribute_on_the_item_takes_precedence() {
    let items = quote! {
        #[test] #[leak_check(skip)] fn f() {}
        #[::leakcheck::leak_check(top = 3)] mod inner { #[test] fn f() {} }
    };
    applies(items.clone(), items);
}

#[test]
fn a_conditional_attribute_takes_precedence_under_its_condition() {
    let conditional = quote!(#[cfg_attr(miri, leak_check(skip))]);
    applies(
        quote!(#conditional #[test] fn f() {} #conditional mod inner { #[test] fn f() {} }),
        quote! {
            #conditional #[test] #[cfg_attr(not(any(miri)), ADDED)] fn f() {}
            #conditional #[cfg_attr(not(any(miri)), ADDED)] mod inner { #[test] fn f() {} }
        },
    );
}

#[test]
fn the_path_to_the_library_is_passed_on() {
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
fn a_module_without_tests_is_rejected() {
    let message =
        "found no test functions in module `tests`; apply `#[leak_check]` to each function instead";
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
fn an_error_leaves_the_module_unchanged() {
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
