//! The interposed functions: leakcheck's definitions of functions of the C library.
//!
//! They are part of the program, so the dynamic linker prefers them, for Rust's standard library
//! and for C code alike. Each calls the real function and records the outcome. Every real function
//! is resolved before `main`, because looking one up inside a signal handler could deadlock.

use std::ffi::CStr;

/// Defines interposed functions, as `fn name(arguments) -> output, missing, |real| body`.
///
/// `real` is the real function in the body. A C library without it makes the hook return `missing`
/// with `errno` set to `ENOSYS`.
macro_rules! hooks {
    ($(fn $name:ident($($arg:ident: $type:ty),*) -> $output:ty, $missing:expr, |$real:ident| $body:expr)*) => {
        #[expect(non_upper_case_globals, reason = "named as the functions are")]
        mod next {
            use crate::hooks::next::Next;
            $(pub(super) static $name: Next = Next::new(concat!(stringify!($name), "\0").as_bytes());)*
        }

        /// The real functions of all hooks in this module.
        pub(super) static NEXT: &[&$crate::hooks::next::Next] = &[$(&next::$name),*];

        /// Resolves the real functions before `main`.
        #[used]
        #[unsafe(link_section = ".init_array")]
        static AT_START: extern "C" fn() = {
            extern "C" fn resolve_all() {
                $crate::hooks::resolve(NEXT);
            }
            resolve_all
        };

        $(
            /// # Safety
            ///
            /// As for the C library's function of this name.
            #[unsafe(no_mangle)]
            unsafe extern "C-unwind" fn $name($($arg: $type),*) -> $output {
                type Function = unsafe extern "C-unwind" fn($($type),*) -> $output;
                let next = next::$name.get();
                // SAFETY: the C library declares the function with this type, and a null pointer is
                // `None`.
                let real = unsafe { std::mem::transmute::<*mut std::ffi::c_void, Option<Function>>(next) };
                let Some($real) = real else { return $crate::hooks::missing($missing) };
                $body
            }

            const _: () = {
                /// Keeps the definition in the program although no Rust code refers to it.
                #[used]
                static KEEP: unsafe extern "C-unwind" fn($($type),*) -> $output = $name;
            };
        )*
    };
}

#[cfg(tracks_handles)]
mod descriptors;
mod exits;
mod libraries;
mod next;
#[cfg(tracks_handles)]
mod processes;
mod threads;

use crate::resources::process::keeping_errno;
use next::Next;

/// The names of functions that the C library has and that are not resolved yet.
pub(crate) fn unresolved() -> impl Iterator<Item = &'static CStr> {
    let mut modules = vec![exits::NEXT, libraries::NEXT, threads::NEXT];
    #[cfg(tracks_handles)]
    modules.extend([descriptors::NEXT, processes::NEXT]);
    let is_missed = |next: &&&Next| !next.is_resolved() && !next.get().is_null();
    modules.into_iter().flatten().filter(is_missed).map(|next| next.name())
}

fn resolve(functions: &[&Next]) {
    keeping_errno(|| functions.iter().for_each(|next| _ = next.get()));
}

/// Returns `outcome` from a hook whose real function the C library does not have.
#[cold]
fn missing<T>(outcome: T) -> T {
    // SAFETY: `__errno_location` has no preconditions.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: the pointer is valid for the life of the calling thread, which alone accesses it.
    unsafe { errno.write(libc::ENOSYS) };
    outcome
}

#[cfg(test)]
mod tests {
    /// Most of the functions are called by no test, so only the start of the program resolves them.
    #[test]
    fn real_functions_are_resolved_before_main() {
        let unresolved: Vec<_> = super::unresolved().collect();
        assert!(unresolved.is_empty(), "{unresolved:?}");
    }
}
