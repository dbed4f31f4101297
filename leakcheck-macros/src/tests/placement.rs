use super::{expands, fails};
use quote::quote;

#[test]
fn a_const_fn_cannot_be_checked() {
    fails(
        quote!(),
        quote!(
            const fn f() {}
        ),
        &["a `const fn` cannot be checked"],
    );
}

#[test]
fn a_function_that_returns_a_future_cannot_be_checked() {
    let message = "a function that returns a future cannot be checked: the check would be over \
                   before the future runs; use `leakcheck::check_async` inside";
    fails(
        quote!(),
        quote!(
            fn f() -> impl Future<Output = ()> {}
        ),
        &[message],
    );
    fails(
        quote!(),
        quote!(
            fn f<'a>(&'a self) -> Pin<Box<dyn ::core::future::Future<Output = ()> + Send + 'a>> {}
        ),
        &[message],
    );
}

#[test]
fn other_items_cannot_be_checked() {
    for (item, found) in [
        (
            quote!(
                pub struct S;
            ),
            "`struct`",
        ),
        (
            quote!(
                #[allow(x)]
                impl S {}
            ),
            "`impl`",
        ),
        (
            quote!(
                trait T {}
            ),
            "`trait`",
        ),
        (
            quote!(
                const C: u8 = 1;
            ),
            "`const`",
        ),
        (quote!(proptest! {}), "`proptest`"),
        (
            quote!(
                mod m;
            ),
            "`mod` without a body",
        ),
        (
            quote!(
                fn f();
            ),
            "`fn` without a body",
        ),
        (
            quote!(
                async unsafe extern "C" fn f();
            ),
            "`fn` without a body",
        ),
    ] {
        let message =
            format!("`#[leak_check]` goes on a function or on an inline module, found {found}");
        fails(quote!(), item, &[&message]);
    }
}

#[test]
fn a_mistake_keeps_the_function() {
    expands(
        quote!(top = 0),
        quote!(
            #[test]
            fn f() {
                body();
            }
        ),
        quote! {
            #[test] fn f() { body(); }
            ::core::compile_error! { "`top` expects at least 1 call site, found `0`" }
        },
    );
}

#[test]
fn a_mistake_keeps_any_item() {
    let message = "`#[leak_check]` goes on a function or on an inline module, found `struct`";
    expands(
        quote!(),
        quote!(
            struct S;
        ),
        quote! { struct S; ::core::compile_error! { #message } },
    );
}

#[test]
fn a_second_attribute_is_refused() {
    expands(
        quote!(),
        quote!(
            #[test]
            #[leakcheck::leak_check(top = 1)]
            fn f() {}
        ),
        quote! {
            #[test] fn f() {}
            ::core::compile_error! { "`#[leak_check]` is given twice" }
        },
    );
}
