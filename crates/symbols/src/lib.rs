//! Names, lines and types of addresses.
//!
//! Internal to leakcheck, no stability promise.
//!
//! On Linux with glibc, leakcheck reads debug information and symbol tables itself ([`loaded`]). On
//! other targets, the `backtrace` crate does (`platform`).
#![allow(rustdoc::private_intra_doc_links, reason = "read by those who work on leakcheck")]
#![allow(missing_docs, missing_debug_implementations, reason = "internal to leakcheck")]

mod call;
mod class;
mod frame;
#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    target_pointer_width = "64",
    not(target_feature = "crt-static"),
    not(miri)
))]
mod loaded;
#[allow(unsafe_code, reason = "calls `dladdr`")]
mod module;
mod names;
#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    target_pointer_width = "64",
    not(target_feature = "crt-static"),
    not(miri)
)))]
mod platform;
pub mod trim;

pub use frame::workspace;
#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    target_pointer_width = "64",
    not(target_feature = "crt-static"),
    not(miri)
))]
pub use loaded::{types, variables};
pub use names::{CallStack, forget, frames, frames_at, keep, kept_stacks, look_up, unread};
