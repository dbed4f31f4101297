use super::{checked, expands, fails};
use proc_macro2::{Delimiter, Group, TokenStream};
use quote::quote;

fn options() -> TokenStream {
    quote!((::leakcheck::__private::options)(::leakcheck::__private::origin!("f")))
}

fn failed() -> TokenStream {
    quote! {
        |value| {
            use ::leakcheck::__private::*;
            (&::leakcheck::__private::Probe(value)).failed()
        }
    }
}

#[track_caller]
fn becomes(item: TokenStream, expected: TokenStream) {
    expands(quote!(), item, expected);
}

#[test]
fn attributes_stay() {
    let attrs = quote!(#[doc = "Docs."] #[test] #[ignore = "slow"] #[allow(clippy::all)]);
    becomes(quote!(#attrs fn f() { body(); }), checked(attrs, quote!()));
}

#[test]
fn the_signature_stays_and_what_can_be_used_up_is_used_once() {
    let (options, failed) = (options(), failed());
    let signature = quote! {
        pub(crate) extern "C" fn f<'a, T: Copy>(mut a: &'a T, (b, _): (u8, u8)) -> &'a T where T: Debug
    };
    becomes(
        quote!(#signature { a }),
        quote! {
            #signature {
                (::leakcheck::__private::check)(#options, move || -> &'a T { a }, #failed)
            }
        },
    );
}

#[test]
fn shared_references_and_plain_numbers_can_be_used_again() {
    let options = options();
    let repeatable = |arguments: TokenStream| {
        becomes(
            quote!(fn f(#arguments) { body(); }),
            quote! {
                fn f(#arguments) {
                    (::leakcheck::__private::check_repeatable)(#options, move || -> () { body(); }, |_| false)
                }
            },
        );
    };
    repeatable(quote!(&self, name: &str, rows: usize, _: f64));
    let once = |arguments: TokenStream| {
        becomes(
            quote!(fn f(#arguments) { body(); }),
            quote! {
                fn f(#arguments) {
                    (::leakcheck::__private::check)(#options, move || -> () { body(); }, |_| false)
                }
            },
        );
    };
    once(quote!(self));
    once(quote!(&mut self));
    once(quote!(name: String));
    once(quote!(names: &mut Vec<String>));
    once(quote!(mut rows: usize));
}

#[test]
fn a_body_that_uses_an_argument_up_is_not_repeated() {
    let message = |argument: &str, taken: &str| {
        format!(
            "`{argument}` calls the body again and again, which cannot be done with `{taken}`: the first call may \
             use it up. Take it by shared reference, or make it in the body"
        )
    };
    let item = quote!(
        fn f(rows: usize, names: Vec<String>) {}
    );
    fails(quote!(iterations = "auto"), item, &[&message("iterations", "names")]);
    fails(
        quote!(warmup = 1),
        quote!(
            fn f(self) {}
        ),
        &[&message("warmup", "self")],
    );
}

#[test]
fn a_body_may_come_from_a_macro() {
    let fragment = Group::new(
        Delimiter::None,
        quote!({
            body();
        }),
    );
    becomes(quote!(fn f() #fragment), checked(quote!(), quote!()));
}

#[test]
fn a_receiver_moves_into_the_body() {
    let (options, failed) = (options(), failed());
    becomes(
        quote!(
            fn f(&mut self) -> Option<&Self> {
                Some(self)
            }
        ),
        quote! {
            fn f(&mut self) -> Option<&Self> {
                (::leakcheck::__private::check)(
                    #options, move || -> Option<&Self> { Some(self) }, #failed
                )
            }
        },
    );
}

#[test]
fn an_explicit_unit_cannot_fail() {
    let options = options();
    becomes(
        quote!(
            fn f() -> () {}
        ),
        quote! {
            fn f() -> () {
                (::leakcheck::__private::check_repeatable)(#options, move || -> () {}, |_| false)
            }
        },
    );
}

#[test]
fn what_never_returns_cannot_fail() {
    let options = options();
    becomes(
        quote!(
            fn f() -> ! {
                loop {}
            }
        ),
        quote! {
            fn f() -> ! {
                (::leakcheck::__private::check_repeatable)(#options, move || -> ! { loop {} }, |_| false)
            }
        },
    );
}

#[test]
fn a_hidden_type_is_inferred() {
    let (options, failed) = (options(), failed());
    becomes(
        quote!(
            fn f() -> Option<impl Fn()> {
                None
            }
        ),
        quote! {
            fn f() -> Option<impl Fn()> {
                (::leakcheck::__private::check_repeatable)(#options, move || { None }, #failed)
            }
        },
    );
}

#[test]
fn an_unsafe_body_stays_as_it_is() {
    let (options, failed) = (options(), failed());
    becomes(
        quote!(
            unsafe fn f() -> u8 {
                g()
            }
        ),
        quote! {
            unsafe fn f() -> u8 {
                (::leakcheck::__private::check_repeatable)(
                    #options,
                    move || -> u8 { g() },
                    #failed
                )
            }
        },
    );
}

#[test]
fn inner_attributes_stay_in_front() {
    let options = options();
    becomes(
        quote!(
            fn f() {
                #![allow(unused)]
                let a = 1;
            }
        ),
        quote! {
            fn f() {
                #![allow(unused)]
                (::leakcheck::__private::check_repeatable)(#options, move || -> () { let a = 1; }, |_| false)
            }
        },
    );
}

#[test]
fn a_raw_name_is_told_as_libtest_tells_it() {
    becomes(
        quote!(
            fn r#loop() {}
        ),
        quote! {
            fn r#loop() {
                (::leakcheck::__private::check_repeatable)(
                    (::leakcheck::__private::options)(::leakcheck::__private::origin!("r#loop")),
                    move || -> () {},
                    |_| false
                )
            }
        },
    );
}

#[track_caller]
fn should_panic(attr: TokenStream, expected: TokenStream) {
    let options = options();
    becomes(
        quote!(#[test] #attr fn f() { body(); }),
        quote! {
            #[test] #attr fn f() {
                (::leakcheck::__private::check_repeatable_should_panic)(
                    #options, ::core::option::Option::#expected, move || -> () { body(); }
                )
            }
        },
    );
}

#[test]
fn an_expected_panic_is_the_checks_business() {
    should_panic(quote!(#[should_panic]), quote!(None));
    should_panic(quote!(#[should_panic = "x"]), quote!(Some("x")));
    should_panic(quote!(#[should_panic(expected = "x")]), quote!(Some("x")));
}

#[test]
fn an_async_body_is_awaited() {
    let options = options();
    becomes(
        quote!(
            async fn f() {
                body().await;
            }
        ),
        quote! {
            async fn f() {
                (::leakcheck::__private::check_async_repeatable::<(), _>)(
                    #options,
                    move || async move {
                        if let ::core::option::Option::Some(value) = ::core::option::Option::<()>::None {
                            return value;
                        }
                        { body().await; }
                    },
                    |_| false
                ).await
            }
        },
    );
}

#[test]
fn an_async_body_of_a_hidden_type_is_inferred() {
    let (options, failed) = (options(), failed());
    becomes(
        quote!(
            async unsafe fn f() -> impl Fn() {
                g()
            }
        ),
        quote! {
            async unsafe fn f() -> impl Fn() {
                (::leakcheck::__private::check_async_repeatable)(
                    #options, move || async move { g() }, #failed
                ).await
            }
        },
    );
}
