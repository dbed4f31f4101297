//! The class of a frame: whose code it is.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use leakcheck_report::Class;

/// Includes the crates that are part of the standard library, which comes without debug
/// information.
const STD_CRATES: [&str; 16] = [
    "std",
    "core",
    "alloc",
    "proc_macro",
    "addr2line",
    "adler2",
    "compiler_builtins",
    "gimli",
    "hashbrown",
    "memchr",
    "miniz_oxide",
    "object",
    "panic_unwind",
    "rustc_demangle",
    "std_detect",
    "unwind",
];
const HARNESS_CRATES: [&str; 7] = [
    "leakcheck",
    "leakcheck_ledger",
    "leakcheck_unwind",
    "leakcheck_system",
    "leakcheck_holders",
    "test",
    "__rustc",
];
/// The folders of leakcheck's own crates whose code may be on a stack, this one included.
const OWN_CRATES: [&str; 5] = ["symbols", "ledger", "unwind", "system", "holders"];

const ENTRY_POINTS: [&str; 8] = [
    "main",
    "_start",
    "__libc_start_main",
    "__libc_start_call_main",
    "start_thread",
    "clone",
    "clone3",
    // The symbol name of leakcheck's own hook.
    "pthread_create",
];

/// Whether a program or a thread starts with this function.
pub(crate) fn is_entry_point(function: &str) -> bool {
    ENTRY_POINTS.contains(&function)
}

/// The class of a frame with this function and source file.
pub(crate) fn of(function: Option<&str>, path: Option<&Path>) -> Class {
    if is_harness(function, path) {
        return Class::Harness;
    }
    if let Some(path) = path {
        let path = path.to_string_lossy().replace('\\', "/");
        return if path.starts_with("/rustc/")
            || in_a_release(&path).is_some()
            || path.contains("/rust/deps/")
            || path.contains("/rustlib/src/rust/")
        {
            Class::Std
        } else if ["/registry/src/", "/git/checkouts/", "/vendor/"]
            .iter()
            .any(|part| path.contains(part))
        {
            Class::Dependency
        } else {
            Class::User
        };
    }
    match function.and_then(crate_of) {
        Some(krate) if STD_CRATES.contains(&krate) => Class::Std,
        Some(_) => Class::User,
        None => Class::System,
    }
}

/// The part of a path inside the sources of a Rust release, from which distributions build the
/// standard library: `rustc-1.97.1` or `rustc-1.97.1-src`.
pub(crate) fn in_a_release(path: &str) -> Option<&str> {
    let (_, after) = path.split_once("/rustc-").filter(|(_, after)| {
        // Excludes packages such as `rustc-hash`.
        after.starts_with(|first: char| first.is_ascii_digit())
    })?;
    let (_, inside) = after.split_once('/')?;
    (inside.starts_with("library/") || inside.starts_with("vendor/")).then_some(inside)
}

/// The source folders of leakcheck's crates, as the debug information names them. In builds with
/// line tables only, inlined functions have no crate name.
fn own_sources() -> &'static [PathBuf] {
    static SOURCES: OnceLock<Vec<PathBuf>> = OnceLock::new();
    SOURCES.get_or_init(|| {
        let this = match Path::new(file!()).ancestors().nth(2) {
            Some(package) if package.is_absolute() => package,
            _ => Path::new(env!("CARGO_MANIFEST_DIR")),
        };
        sources_beside(this)
    })
}

/// The source folders of leakcheck's crates, given the folder of this one, which is in a registry
/// and has a version, or in leakcheck's repository.
fn sources_beside(this: &Path) -> Vec<PathBuf> {
    let (Some(name), Some(parent)) = (this.file_name(), this.parent()) else { return Vec::new() };
    let (inner, face): (Vec<PathBuf>, Option<PathBuf>) =
        match name.to_string_lossy().strip_prefix("leakcheck-symbols") {
            Some(version) => {
                let folder = |krate| parent.join(format!("leakcheck-{krate}{version}"));
                let face = parent.join(format!("leakcheck{version}"));
                (OWN_CRATES.map(folder).to_vec(), Some(face))
            }
            None => {
                let face = parent.parent().map(|root| root.join("leakcheck"));
                (OWN_CRATES.map(|krate| parent.join(krate)).to_vec(), face)
            }
        };
    inner.into_iter().chain(face).map(|folder| folder.join("src")).collect()
}

/// Whether a frame is between an allocation and the ledger, or between the test harness and the
/// body.
fn is_harness(function: Option<&str>, path: Option<&Path>) -> bool {
    function.and_then(crate_of).is_some_and(|krate| HARNESS_CRATES.contains(&krate))
        || function.is_some_and(is_entry_point)
        || path.is_some_and(|path| own_sources().iter().any(|sources| path.starts_with(sources)))
        || is_unwinder(function, path)
}

/// Whether a frame is in the `backtrace` crate, which walks the stack where leakcheck cannot.
fn is_unwinder(function: Option<&str>, path: Option<&Path>) -> bool {
    function.and_then(crate_of) == Some("backtrace")
        || path.is_some_and(|path| path.to_string_lossy().contains("/backtrace-0.3."))
}

/// The crate of a path such as `<alloc::vec::Vec<T> as core::ops::Drop>::drop`, or `None` for the
/// name of a C function.
fn crate_of(function: &str) -> Option<&str> {
    let path = function.trim_start_matches(['<', '&', '(', '[', '*']);
    let path =
        ["mut ", "const ", "dyn "].iter().fold(path, |path, word| path.trim_start_matches(word));
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (end > 0 && path[end..].starts_with("::")).then(|| &path[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_class(function: &str, path: &str, class: Class) {
        let path = (!path.is_empty()).then(|| Path::new(path));
        assert_eq!(of(Some(function), path), class, "{function} in {path:?}");
    }

    #[test]
    fn paths_tell_whose_code_it_is() {
        check_class("app::Cache::insert", "/home/me/app/src/cache.rs", Class::User);
        check_class(
            "lru::LruCache<K,V>::put",
            "/h/.cargo/registry/src/index-1/lru-0.6.2/src/lib.rs",
            Class::Dependency,
        );
        check_class(
            "slab::Slab<T>::insert",
            "/h/.cargo/git/checkouts/slab-1/abc/src/lib.rs",
            Class::Dependency,
        );
        check_class(
            "alloc::vec::Vec<T,A>::push",
            "/rustc/abc/library/alloc/src/vec/mod.rs",
            Class::Std,
        );
        check_class(
            "alloc::vec::Vec<T,A>::push",
            "/usr/src/rustc-1.97.1/library/alloc/src/vec/mod.rs",
            Class::Std,
        );
        check_class(
            "hashbrown::raw::RawTable<T>::new",
            "/build/rustc-1.97.1-src/vendor/hashbrown-0.15.5/src/raw.rs",
            Class::Std,
        );
        check_class(
            "rustc_hash::FxHasher::default",
            "/home/me/app/vendor/rustc-hash-2.1.1/src/lib.rs",
            Class::Dependency,
        );
        check_class(
            "hashbrown::raw::RawTable<T>::new",
            "/rust/deps/hashbrown-0.15.5/src/raw.rs",
            Class::Std,
        );
        check_class(
            "leakcheck::check::run_body",
            "/home/me/leakcheck/src/check.rs",
            Class::Harness,
        );
        for sources in own_sources() {
            let path = sources.join("check.rs");
            check_class("run_body<()>", &path.to_string_lossy(), Class::Harness);
        }
    }

    #[test]
    fn own_sources_lie_beside_one_another_in_a_registry_and_in_the_repository() {
        let in_registry = sources_beside(Path::new("/r/leakcheck-symbols-0.1.0"));
        for folder in ["leakcheck-0.1.0", "leakcheck-ledger-0.1.0", "leakcheck-symbols-0.1.0"] {
            assert!(in_registry.contains(&Path::new("/r").join(folder).join("src")), "{folder}");
        }
        let in_repository = sources_beside(Path::new("/home/me/leakcheck/crates/symbols"));
        for folder in ["leakcheck", "crates/ledger", "crates/symbols"] {
            let sources = Path::new("/home/me/leakcheck").join(folder).join("src");
            assert!(in_repository.contains(&sources), "{folder}");
        }
    }

    #[test]
    fn the_platforms_unwinder_is_part_of_the_harness() {
        let path = "/h/.cargo/registry/src/index-1/backtrace-0.3.77/src/lib.rs";
        check_class("trace", path, Class::Harness);
        check_class("backtrace::trace", path, Class::Harness);
    }

    #[test]
    fn without_paths_names_tell() {
        check_class("<alloc::boxed::Box<T> as core::ops::Drop>::drop", "", Class::Std);
        check_class("<&mut app::Cache as app::Store>::put", "", Class::User);
        check_class("app::main", "", Class::User);
        check_class("main", "", Class::Harness);
        check_class("onig_new", "", Class::System);
        assert_eq!(of(None, None), Class::System);
    }
}
