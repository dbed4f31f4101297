use super::{expands, fails, wrapped};
use proc_macro2::{Delimiter, Group, TokenStream};
use quote::quote;

fn options() -> TokenStream {
    quote!((::leakcheck::__private::options)(::leakcheck::__private::origin!("f")))
}

fn is_failure() -> TokenStream {
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
fn attributes_are_kept() {
    let attrs = quote!(#[doc = "Docs."] #[test] #[ignore = "slow"] #[allow(clippy::all)]);
    becomes(quote!(#attrs fn f() { body(); }), wrapped(attrs, quote!()));
}

#[test]
fn the_signature_is_kept_and_a_consumable_argument_is_used_once() {
    let (options, is_failure) = (options(), is_failure());
    let signature = quote! {
        pub(crate) extern "C" fn f<'a, T: Copy>(mut a: &'a T, (b, _): (u8, u8)) -> &'a T where T: Debug
    };
    becomes(
        quote!(#signature { a }),
        quote! {
            #signature {
                (::leakcheck::__private::check)(#options, move || -> &'a T { a }, #is_failure)
            }
        },
    );
}

#[test]
fn a_body_with_reusable_arguments_is_repeatable() {
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
    repeatable(quote!(&'a self, #[case] map: &'a HashMap<String, u8>, small: (u8),));
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
    once(quote!(self: &Self));
    once(quote!(&'a mut self));
    once(quote!(&mut self));
    once(quote!(name: String));
    once(quote!(names: &mut Vec<String>));
    once(quote!(mut rows: usize));
    once(quote!((first, second): (&u8, u8)));
}

#[test]
fn a_body_with_a_consumable_argument_cannot_be_repeated() {
    let message = |argument: &str, consumable: &str| {
        format!(
            "`{argument}` repeats the body, but the first iteration may consume or change `{consumable}`; \
             take `{consumable}` by shared reference, or create it in the body"
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

/// A comma, a colon, a brace or `where` inside angle brackets ends nothing.
#[test]
fn every_part_of_a_signature_is_kept() {
    let (options, is_failure) = (options(), is_failure());
    let output = quote!(Result<[u8; { N }], Box<dyn Fn(A, B) -> Buffer<{ N + 1 }>>>);
    let signature = quote! {
        unsafe extern "C" fn f<const N: usize, F: Fn(u8) -> u8>(
            #[case] map: HashMap<String, fn(u8) -> u8>,
            Point::<u8> { x, y: _ }: Point<u8>,
        ) -> #output where Buffer<{ N }>: Sized, F: Copy
    };
    becomes(
        quote!(#signature { a }),
        quote! {
            #signature {
                (::leakcheck::__private::check)(#options, move || -> #output { a }, #is_failure)
            }
        },
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
    becomes(quote!(fn f() #fragment), wrapped(quote!(), quote!()));
}

#[test]
fn a_receiver_moves_into_the_body() {
    let (options, is_failure) = (options(), is_failure());
    becomes(
        quote!(
            fn f(&mut self) -> Option<&Self> {
                Some(self)
            }
        ),
        quote! {
            fn f(&mut self) -> Option<&Self> {
                (::leakcheck::__private::check)(
                    #options, move || -> Option<&Self> { Some(self) }, #is_failure
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
fn a_body_that_never_returns_cannot_fail() {
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
fn an_impl_trait_type_is_inferred() {
    let (options, is_failure) = (options(), is_failure());
    becomes(
        quote!(
            fn f() -> Option<impl Fn()> {
                None
            }
        ),
        quote! {
            fn f() -> Option<impl Fn()> {
                (::leakcheck::__private::check_repeatable)(#options, move || { None }, #is_failure)
            }
        },
    );
    becomes(
        quote!(
            fn f<'a>() -> impl Fn() + use<'a> {
                g()
            }
        ),
        quote! {
            fn f<'a>() -> impl Fn() + use<'a> {
                (::leakcheck::__private::check_repeatable)(#options, move || { g() }, #is_failure)
            }
        },
    );
}

#[test]
fn an_unsafe_body_is_kept() {
    let (options, is_failure) = (options(), is_failure());
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
                    #is_failure
                )
            }
        },
    );
}

#[test]
fn inner_attributes_stay_first() {
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
fn a_raw_name_keeps_its_prefix_as_in_libtest() {
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
fn an_expected_panic_is_passed_to_the_check() {
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
fn an_impl_trait_type_of_an_async_body_is_inferred() {
    let (options, is_failure) = (options(), is_failure());
    becomes(
        quote!(
            async unsafe fn f() -> impl Fn() {
                g()
            }
        ),
        quote! {
            async unsafe fn f() -> impl Fn() {
                (::leakcheck::__private::check_async_repeatable)(
                    #options, move || async move { g() }, #is_failure
                ).await
            }
        },
    );
}
