//! Whether what a body returned is a failure.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;

/// What a checked body may return.
///
/// A body that failed is not judged: it fails as itself. Implement it for a type of your own; override
/// the method where the type has values that mean failure.
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
    ($($type:ty),* $(,)?) => { $(impl Outcome for $type {})* };
}

never_fails!((), bool, char, String, f32, f64);
never_fails!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);

// What a collection or a pointer contains is data, whatever its type: only the value itself may be a
// failure.
impl<T> Outcome for Option<T> {}
impl<T> Outcome for Vec<T> {}
impl<T> Outcome for VecDeque<T> {}
impl<T, const N: usize> Outcome for [T; N] {}
impl<K, V, S> Outcome for HashMap<K, V, S> {}
impl<K, V> Outcome for BTreeMap<K, V> {}
impl<T, S> Outcome for HashSet<T, S> {}
impl<T> Outcome for BTreeSet<T> {}
impl<T: ?Sized> Outcome for Box<T> {}
impl<T: ?Sized> Outcome for Rc<T> {}
impl<T: ?Sized> Outcome for Arc<T> {}
impl<T: ?Sized> Outcome for &T {}

macro_rules! tuples_never_fail {
    ($($first:ident $($rest:ident)*)?) => {
        $(
            impl<$first, $($rest),*> Outcome for ($first, $($rest),*) {}
            tuples_never_fail!($($rest)*);
        )?
    };
}

tuples_never_fail!(A B C D E F G H I J K L);

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(value: impl Outcome) -> bool {
        value.is_failure()
    }

    #[test]
    fn errors_fail() {
        assert!(fails(Err::<(), _>("no")) && !fails(Ok::<_, &str>(1)));
        assert!(fails(ExitCode::FAILURE) && !fails(ExitCode::SUCCESS));
    }

    #[test]
    fn data_does_not_fail() {
        assert!(!fails((1,)) && !fails((1, "two", [3; 4])));
        assert!(!fails([Err::<(), _>("an element"); 3]));
        assert!(!fails(Rc::new(1)) && !fails(Arc::<str>::from("shared")));
        assert!(!fails(HashMap::from([(1, "one")])) && !fails(BTreeMap::from([(1, "one")])));
        assert!(!fails(HashSet::from([1])) && !fails(BTreeSet::from([1])));
    }
}
