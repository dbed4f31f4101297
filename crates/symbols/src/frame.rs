//! Frames of a call stack with their names.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use leakcheck_report::Frame;

use crate::class;

/// Creates a frame from what the debug information contains.
pub(crate) fn named(function: Option<&str>, path: Option<&Path>, line: Option<u32>) -> Frame {
    let mut frame = Frame::default();
    frame.class = class::of(function, path);
    frame.file = path.map(|path| shorten(path, workspace()).into_owned());
    frame.function = function.map(tidy);
    frame.line = line;
    frame
}

/// Removes what compilers add to names for linking.
fn tidy(function: &str) -> String {
    let mut name = function.replace("::{{closure}}", "::{closure}");
    if let Some(at) = name.rfind(".llvm.") {
        name.truncate(at);
    }
    // Builds with line tables name an inlined function without its path, but with its type
    // arguments, which may have hundreds of characters.
    let is_word = |start: &str| start.chars().all(|c| c.is_alphanumeric() || c == '_');
    if let Some((start, _)) = name.split_once('<')
        && !start.is_empty()
        && is_word(start)
        && name.ends_with('>')
    {
        name.truncate(start.len());
    } else if name.starts_with("{closure#") && name.ends_with('}') {
        "{closure}".clone_into(&mut name);
    }
    name
}

/// Shortens a path to what a reader who knows the project needs to find the file.
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
    // The registry's folder and the compiler's commit are of no use to a reader.
    let short = skipped("/registry/src/", 1)
        .or_else(|| skipped("/rustlib/src/rust", 1))
        .or_else(|| skipped("/rustc/", 1))
        .or_else(|| class::in_a_release(&path).map(str::to_owned))
        .or_else(|| skipped("/rust/deps/", 0));
    short.map_or(path, Cow::Owned)
}

/// The root of the user's workspace: the nearest directory above the package that has a lock file.
pub fn workspace() -> Option<&'static Path> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(
            short("/usr/src/rustc-1.97.1/library/alloc/src/vec/mod.rs"),
            "library/alloc/src/vec/mod.rs"
        );
        assert_eq!(short("/elsewhere/lib.rs"), "/elsewhere/lib.rs");
    }
}
