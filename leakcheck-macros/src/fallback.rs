//! After a mistake: the user's item as it was, so that nothing else breaks, and the errors beside it.

use crate::module::is_leak_check;
use crate::target::Target;
use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Error;

pub(crate) fn keep(item: TokenStream, error: &Error) -> TokenStream {
    let mut tokens = match syn::parse2::<Target>(item.clone()) {
        Ok(mut target) => {
            // A second attribute would report the same mistakes again.
            target.attrs().retain(|attr| !is_leak_check(attr.path()));
            target.into_token_stream()
        }
        Err(_) => item,
    };
    tokens.extend(error.to_compile_error());
    tokens
}
