//! Whether what a body returned is a failure.

use std::process::ExitCode;

/// What a checked body may return.
///
/// A body that failed is not judged: it fails as itself. Implement it for a type of your own if the
/// methods' default, "not a failure", is not the whole truth.
pub trait Outcome {
    /// Whether the body failed.
    fn is_failure(&self) -> bool {
        false
    }
}

impl<T, E> Outcome for Result<T, E> {
    fn is_failure(&self) -> bool {
        self.is_err()
    }
}

impl Outcome for ExitCode {
    fn is_failure(&self) -> bool {
        *self != ExitCode::SUCCESS
    }
}

macro_rules! never_fails {
    ($($type:ty),*) => { $(impl Outcome for $type {})* };
}

never_fails!(
    (),
    bool,
    char,
    String,
    i8,
    i16,
    i32,
    i64,
    i128,
    isize,
    u8,
    u16,
    u32,
    u64,
    u128,
    usize,
    f32,
    f64
);

impl<T> Outcome for Option<T> {}
impl<T> Outcome for Vec<T> {}
impl<T: ?Sized> Outcome for Box<T> {}
impl<T: ?Sized> Outcome for &T {}
