use super::{expands, fails};
use quote::quote;

#[test]
fn a_const_fn_is_rejected() {
    fails(
        quote!(),
        quote!(
            const fn f() {}
        ),
        &["`#[leak_check]` cannot be applied to a `const fn`"],
    );
}

#[test]
fn a_function_that_returns_a_future_is_rejected() {
    let message = "a function that returns a future cannot be checked, because the check would end \
                   before the future runs; make it an `async fn`, or use `leakcheck::check_async` in it";
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
fn other_items_are_rejected() {
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
        let message = format!(
            "`#[leak_check]` can only be applied to a function or an inline module, found {found}"
        );
        fails(quote!(), item, &[&message]);
    }
}

#[test]
fn an_error_leaves_the_function_unchanged() {
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
fn an_error_leaves_any_item_unchanged() {
    let message =
        "`#[leak_check]` can only be applied to a function or an inline module, found `struct`";
    expands(
        quote!(),
        quote!(
            struct S;
        ),
        quote! { struct S; ::core::compile_error! { #message } },
    );
}

#[test]
fn a_second_attribute_is_rejected() {
    expands(
        quote!(),
        quote!(
            #[test]
            #[leakcheck::leak_check(top = 1)]
            fn f() {}
        ),
        quote! {
            #[test] fn f() {}
            ::core::compile_error! { "`#[leak_check]` is applied twice; remove one of the two" }
        },
    );
}
