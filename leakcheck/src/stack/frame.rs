//! A frame of a call stack with its names, and whose code it is.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// One function of a call stack; several share an address where calls were inlined.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Frame {
    /// The function's path, `None` where the program has no symbol for it.
    pub function: Option<String>,
    /// The source file: relative to the workspace for its own code, from the package on
    /// (`lru-0.6.2/src/lib.rs`) for dependencies. `None` without debug information.
    pub file: Option<String>,
    /// The line in the source file, counted from 1.
    pub line: Option<u32>,
    /// The file name of the program or library that the code lies in, for frames without a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// Where in that module, in bytes from its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Whose code it is.
    pub class: Class,
}

/// Whose code a frame is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Class {
    /// The user's workspace.
    User,
    /// A package from a registry, a repository or a vendor directory.
    Dependency,
    /// Rust's standard library.
    Std,
    /// leakcheck and the test harness.
    Harness,
    /// The C library and code without names.
    #[default]
    System,
}

/// With the crates that come inside the standard library, without debug information.
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
const HARNESS_CRATES: [&str; 4] = ["leakcheck", "test", "__rustc", "backtrace"];
const ENTRY_POINTS: [&str; 8] = [
    "main",
    "_start",
    "__libc_start_main",
    "__libc_start_call_main",
    "start_thread",
    "clone",
    "clone3",
    // leakcheck's own, which the linker knows by the name that it takes the place of.
    "pthread_create",
];

impl Frame {
    /// From what the debug information says.
    pub(crate) fn new(function: Option<String>, path: Option<&Path>, line: Option<u32>) -> Self {
        let class = classify(function.as_deref(), path);
        let file = path.map(|path| shorten(path, workspace()).into_owned());
        let function = function.map(|name| tidy(&name));
        Self { function, file, line, class, ..Self::default() }
    }

    fn is_harness(&self) -> bool {
        self.class == Class::Harness
    }

    /// Whether this is part of the way from an allocation to the ledger. A panic's hook, which may
    /// allocate, is called by the harness too.
    fn is_allocator(&self) -> bool {
        let name = self.function.as_deref().unwrap_or_default();
        self.is_harness()
            && !name.starts_with("test::")
            && !name.ends_with("rust_begin_unwind")
            && !ENTRY_POINTS.contains(&name)
    }

    /// Code of the user's or of one of their dependencies.
    fn is_theirs(&self) -> bool {
        matches!(self.class, Class::User | Class::Dependency)
    }

    /// Whether this is the frame that calls a body, and may have it inside.
    fn runs_body(&self) -> bool {
        self.is_harness() && self.function.as_ref().is_some_and(|name| name.contains("run_body"))
    }

    /// Whether this is a function or one of its closures.
    fn is_part_of(&self, function: &Self) -> bool {
        let (name, part_of) = (self.function.as_deref(), function.function.as_deref());
        name.zip(part_of).is_some_and(|(name, part_of)| name.contains(part_of))
    }

    /// Whether the debug information says no more than that it is a closure.
    fn is_anonymous(&self) -> bool {
        self.function.as_ref().is_some_and(|name| name.starts_with('{'))
    }

    /// The function, or the place in the program where it has no name.
    pub fn name(&self) -> Cow<'_, str> {
        match (&self.function, &self.module, self.offset) {
            (Some(function), ..) => function.into(),
            (None, Some(module), Some(offset)) => format!("{module} + {offset:#x}").into(),
            _ => "unknown".into(),
        }
    }

    /// `file:line`, or the place in the program where the line is not known.
    pub fn place(&self) -> Option<String> {
        match (&self.file, self.line, &self.module, self.offset) {
            (Some(file), Some(line), ..) => Some(format!("{file}:{line}")),
            (Some(file), None, ..) => Some(file.clone()),
            (None, _, Some(module), Some(offset)) if self.function.is_some() => {
                Some(format!("{module} + {offset:#x}"))
            }
            _ => None,
        }
    }
}

/// The stack without the allocator on top of it and the harness below it.
///
/// The frame of the test's body is named after `body` where an optimiser has left it no name.
pub(crate) fn trim(mut frames: Vec<Frame>, body: Option<&Frame>) -> Vec<Frame> {
    let runner = frames.iter().position(Frame::runs_body);
    let inlined_body = runner.zip(body).map(|(runner, body)| {
        let Frame { module, offset, line, .. } = &frames[runner];
        (line.is_none(), Frame { module: module.clone(), offset: *offset, ..body.clone() })
    });
    let end = match frames.iter().rposition(Frame::is_theirs) {
        // The standard library's frames between the body and the harness go with the harness.
        Some(last) if frames[last..].iter().any(Frame::is_harness) => last + 1,
        Some(_) => frames.len(),
        None => runner.unwrap_or(frames.len()),
    };
    frames.truncate(end);
    let mut frames = without_harness(frames);
    let is_theirs = frames.iter().any(Frame::is_theirs);
    let outermost = frames.iter_mut().rfind(|frame| frame.class == Class::User);
    match (outermost, inlined_body) {
        (Some(outermost), _) if outermost.is_anonymous() => {
            outermost.function = body.and_then(|body| body.function.clone());
        }
        // Without debug information, what was inlined has left no trace.
        (Some(outermost), Some((true, body))) if !outermost.is_part_of(&body) => frames.push(body),
        (None, Some((_, body))) if !is_theirs => frames.push(body),
        _ => {}
    }
    frames
}

/// The stack without the frames that are the harness's, and without what the standard library does
/// for the allocator on top of it.
pub(crate) fn without_harness(mut frames: Vec<Frame>) -> Vec<Frame> {
    // The frame that a followed thread begins with.
    while frames.pop_if(|last| last.is_harness()).is_some() {}
    let first = frames.iter().position(Frame::is_theirs).unwrap_or(frames.len());
    let allocator =
        frames[..first].iter().rposition(Frame::is_allocator).map_or(0, |last| last + 1);
    frames.drain(..allocator);
    frames.retain(|frame| !frame.is_harness());
    frames
}

/// The sources of this crate, as the debug information names them: in builds with line tables only,
/// functions that were inlined have lost their crate.
fn own_sources() -> PathBuf {
    match Path::new(file!()).ancestors().nth(2) {
        Some(sources) if sources.is_absolute() => sources.to_owned(),
        _ => Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
    }
}

/// Whether a frame is part of the way from an allocation to the ledger or from the harness to the
/// body.
fn is_harness(function: Option<&str>, path: Option<&Path>) -> bool {
    function.and_then(crate_of).is_some_and(|krate| HARNESS_CRATES.contains(&krate))
        || function.is_some_and(|name| ENTRY_POINTS.contains(&name))
        || path.is_some_and(|path| path.starts_with(own_sources()) || is_unwinder(path))
}

fn is_unwinder(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str().to_string_lossy().starts_with("backtrace-0.3."))
}

fn classify(function: Option<&str>, path: Option<&Path>) -> Class {
    if is_harness(function, path) {
        return Class::Harness;
    }
    if let Some(path) = path {
        let path = path.to_string_lossy().replace('\\', "/");
        return if path.starts_with("/rustc/")
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

/// The crate that a path such as `<alloc::vec::Vec<T> as core::ops::Drop>::drop` begins with;
/// `None` for names of C.
fn crate_of(function: &str) -> Option<&str> {
    let path = function.trim_start_matches(['<', '&', '(', '[', '*']);
    let path =
        ["mut ", "const ", "dyn "].iter().fold(path, |path, word| path.trim_start_matches(word));
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (end > 0 && path[end..].starts_with("::")).then(|| &path[..end])
}

/// Leaves out what a compiler added for linking and a reader has no use for.
fn tidy(function: &str) -> String {
    let mut name = function.replace("::{{closure}}", "::{closure}");
    if let Some(at) = name.rfind(".llvm.") {
        name.truncate(at);
    }
    name
}

/// The part of a path that tells where the file is, to a reader who knows the project.
fn shorten<'a>(path: &'a Path, workspace: Option<&Path>) -> Cow<'a, str> {
    if let Some(inside) = workspace.and_then(|workspace| path.strip_prefix(workspace).ok()) {
        return inside.to_string_lossy();
    }
    let path = path.to_string_lossy();
    let skipped = |marker: &str, folders: usize| {
        let after = path.find(marker)? + marker.len();
        let skipped = path[after..].match_indices('/').nth(folders.checked_sub(1)?)?;
        Some(path[after + skipped.0 + 1..].to_owned())
    };
    // A registry's folder and the compiler's commit say nothing to the reader.
    let short = skipped("/registry/src/", 1)
        .or_else(|| skipped("/rustlib/src/rust", 1))
        .or_else(|| skipped("/rustc/", 1))
        .or_else(|| skipped("/rust/deps/", 0));
    short.map_or(path, Cow::Owned)
}

/// A path as seen from the workspace, where it lies inside.
pub(crate) fn from_workspace(path: &Path) -> &Path {
    workspace().and_then(|workspace| path.strip_prefix(workspace).ok()).unwrap_or(path)
}

/// The root of the user's workspace: the nearest directory around the package with a lock file.
fn workspace() -> Option<&'static Path> {
    static WORKSPACE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        let package = std::env::var_os("CARGO_MANIFEST_DIR")
            .map(PathBuf::from)
            .or(std::env::current_dir().ok())?;
        let root = package.ancestors().find(|directory| directory.join("Cargo.lock").is_file());
        Some(root.unwrap_or(&package).to_owned())
    };
    WORKSPACE.get_or_init(find).as_deref()
}

/// A stack of named frames, leaf first, for tests.
#[cfg(test)]
pub(crate) fn stack(functions: &[(&str, Class)]) -> Vec<Frame> {
    let frame = |&(function, class): &(&str, Class)| Frame {
        function: Some(function.to_owned()),
        class,
        ..Frame::default()
    };
    functions.iter().map(frame).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_class(function: &str, path: &str, class: Class) {
        let path = (!path.is_empty()).then(|| Path::new(path));
        assert_eq!(classify(Some(function), path), class, "{function} in {path:?}");
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
            "hashbrown::raw::RawTable<T>::new",
            "/rust/deps/hashbrown-0.15.5/src/raw.rs",
            Class::Std,
        );
        check_class(
            "leakcheck::check::run_body",
            "/home/me/leakcheck/src/check.rs",
            Class::Harness,
        );
        check_class(
            "run_body<()>",
            &own_sources().join("check.rs").to_string_lossy(),
            Class::Harness,
        );
        check_class(
            "trace",
            "/h/.cargo/registry/src/index-1/backtrace-0.3.77/src/lib.rs",
            Class::Harness,
        );
    }

    #[test]
    fn without_paths_names_tell() {
        check_class("<alloc::boxed::Box<T> as core::ops::Drop>::drop", "", Class::Std);
        check_class("<&mut app::Cache as app::Store>::put", "", Class::User);
        check_class("app::main", "", Class::User);
        check_class("main", "", Class::Harness);
        check_class("onig_new", "", Class::System);
        assert_eq!(classify(None, None), Class::System);
    }

    #[track_caller]
    fn check_trim(frames: &[(&str, Class)], expected: &[&str]) {
        let body =
            Frame { function: Some("app::test".into()), class: Class::User, ..Frame::default() };
        let trimmed = trim(stack(frames), Some(&body));
        let names: Vec<&str> =
            trimmed.iter().filter_map(|frame| frame.function.as_deref()).collect();
        assert_eq!(names, expected);
    }

    const ALLOCATOR: [(&str, Class); 2] =
        [("std::thread::LocalKey::with", Class::Std), ("__rustc::__rust_alloc", Class::Harness)];

    #[test]
    fn allocator_and_harness_are_cut_off() {
        let rest = [
            ("alloc::vec::Vec::push", Class::Std),
            ("app::insert", Class::User),
            ("app::test::{{closure}}", Class::User),
            ("core::ops::function::FnOnce::call_once", Class::Std),
            ("leakcheck::region::run_body", Class::Harness),
        ];
        let expected = ["alloc::vec::Vec::push", "app::insert", "app::test::{{closure}}"];
        check_trim(&[&ALLOCATOR[..], &rest].concat(), &expected);
    }

    #[test]
    fn the_way_through_a_panics_hook_is_kept() {
        let rest = [
            ("std::panicking::default_hook", Class::Std),
            ("test::test_main::{{closure}}", Class::Harness),
            ("__rustc::rust_begin_unwind", Class::Harness),
            ("core::panicking::panic_fmt", Class::Std),
            ("app::test", Class::User),
            ("leakcheck::region::run_body", Class::Harness),
        ];
        let expected = ["std::panicking::default_hook", "core::panicking::panic_fmt", "app::test"];
        check_trim(&[&ALLOCATOR[..], &rest].concat(), &expected);
    }

    #[test]
    fn a_body_that_was_inlined_keeps_its_name() {
        let rest = [
            ("alloc::vec::Vec::push", Class::Std),
            ("leakcheck::region::run_body", Class::Harness),
        ];
        check_trim(&[&ALLOCATOR[..], &rest].concat(), &["alloc::vec::Vec::push", "app::test"]);
        let rest = [("{closure#0}", Class::User), ("run_body<()>", Class::Harness)];
        check_trim(&[&ALLOCATOR[..], &rest].concat(), &["app::test"]);
    }

    #[test]
    fn a_threads_closure_without_a_name_has_that_of_its_test() {
        let rest = [("alloc::vec::Vec::push", Class::Std), ("{closure#0}", Class::User)];
        check_trim(&[&ALLOCATOR[..], &rest].concat(), &["alloc::vec::Vec::push", "app::test"]);
    }

    #[test]
    fn a_body_that_was_inlined_is_below_what_it_called() {
        let rest = [
            ("alloc::vec::Vec::push", Class::Std),
            ("app::insert", Class::User),
            ("leakcheck::region::run_body", Class::Harness),
        ];
        let expected = ["alloc::vec::Vec::push", "app::insert", "app::test"];
        check_trim(&[&ALLOCATOR[..], &rest].concat(), &expected);
    }

    #[test]
    fn a_thread_that_is_not_followed_keeps_the_librarys_code_too() {
        let rest = [
            ("std::sys::thread_start", Class::Std),
            ("start_thread", Class::Harness),
            ("clone3", Class::Harness),
            ("", Class::System),
        ];
        check_trim(&[&ALLOCATOR[..], &rest].concat(), &["std::sys::thread_start", ""]);
    }

    #[test]
    fn a_thread_without_code_of_the_users_keeps_the_librarys() {
        let rest = [
            ("std::thread::set_name", Class::Std),
            ("leakcheck::thread::spawn::begin", Class::Harness),
        ];
        check_trim(&[&ALLOCATOR[..], &rest].concat(), &["std::thread::set_name"]);
    }

    #[test]
    fn paths_are_as_short_as_they_can_be() {
        let short =
            |path: &str| shorten(Path::new(path), Some(Path::new("/home/me/app"))).into_owned();
        assert_eq!(short("/home/me/app/core/src/lib.rs"), "core/src/lib.rs");
        assert_eq!(
            short("/h/.cargo/registry/src/index-1/lru-0.6.2/src/lib.rs"),
            "lru-0.6.2/src/lib.rs"
        );
        assert_eq!(
            short("/rustc/abc/library/alloc/src/vec/mod.rs"),
            "library/alloc/src/vec/mod.rs"
        );
        assert_eq!(short("/elsewhere/lib.rs"), "/elsewhere/lib.rs");
    }

    #[test]
    fn a_frame_without_a_name_says_where_it_is() {
        let frame =
            Frame { module: Some("app-1f".into()), offset: Some(0x1234), ..Frame::default() };
        assert_eq!(frame.name(), "app-1f + 0x1234");
        assert_eq!(frame.place(), None);
    }
}
