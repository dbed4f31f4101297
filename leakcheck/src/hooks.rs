//! The interposed functions: definitions of leakcheck's own in front of the C library's.
//!
//! They lie in the program, so that the dynamic linker finds them first, for Rust's standard library
//! and for C code alike. Each calls the real function and records the outcome. All real functions are
//! resolved before `main` and before a signal handler could need one.

/// Defines functions in front of the C library's: `real` stands for the real one in the body, and the
/// expression before it is what is returned, with `ENOSYS`, where there is none.
macro_rules! hooks {
    ($(fn $name:ident($($arg:ident: $type:ty),*) -> $output:ty, $missing:expr, |$real:ident| $body:expr)*) => {
        #[expect(non_upper_case_globals, reason = "named as the functions are")]
        mod next {
            use crate::hooks::next::Next;
            $(pub(super) static $name: Next = Next::new(concat!(stringify!($name), "\0").as_bytes());)*
        }

        /// Resolves the real functions.
        #[used]
        #[unsafe(link_section = ".init_array")]
        static AT_START: extern "C" fn() = {
            extern "C" fn resolve_all() {
                $crate::hooks::resolve(&[$(&next::$name),*]);
            }
            resolve_all
        };

        $(
            /// # Safety
            ///
            /// As for the C library's function of that name.
            #[unsafe(no_mangle)]
            unsafe extern "C-unwind" fn $name($($arg: $type),*) -> $output {
                type Function = unsafe extern "C-unwind" fn($($type),*) -> $output;
                let next = next::$name.find();
                // SAFETY: the next definition of the function is the C library's, which has this
                // type; null becomes `None`.
                let real = unsafe { std::mem::transmute::<*mut std::ffi::c_void, Option<Function>>(next) };
                let Some($real) = real else { return $crate::hooks::missing($missing) };
                $body
            }

            const _: () = {
                /// Keeps the definition in the program, though no Rust code names it.
                #[used]
                static KEEP: unsafe extern "C-unwind" fn($($type),*) -> $output = $name;
            };
        )*
    };
}

#[cfg(tracks_handles)]
mod descriptors;
mod libraries;
mod next;
#[cfg(tracks_handles)]
mod processes;
mod threads;

use next::Next;

use crate::resources::process::keeping_errno;

fn resolve(hooks: &[&Next]) {
    keeping_errno(|| hooks.iter().for_each(|next| _ = next.find()));
}

/// There is no such function in this C library.
#[cold]
fn missing<T>(outcome: T) -> T {
    // SAFETY: asks for the address of the calling thread's error number.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: it is writable and the thread's own.
    unsafe { errno.write(libc::ENOSYS) };
    outcome
}
