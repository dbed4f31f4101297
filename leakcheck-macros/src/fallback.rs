//! The expansion after an error: the user's item unchanged, so that nothing else fails to compile,
//! and the errors next to it.

use crate::module::is_leak_check;
use crate::target::Target;
use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Error;

pub(crate) fn item_with_errors(item: TokenStream, error: &Error) -> TokenStream {
    let mut tokens = match syn::parse2::<Target>(item.clone()) {
        Ok(mut target) => {
            // A second `#[leak_check]` would report the same errors again.
            target.attrs().retain(|attr| !is_leak_check(attr.path()));
            target.into_token_stream()
        }
        Err(_) => item,
    };
    tokens.extend(error.to_compile_error());
    tokens
}
