//! File and folder names of reports, and how they are written: beside their place and renamed, so
//! that a reader never sees half a file.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::json;
use crate::report::{Report, Test};

/// The longest file name that is made of a test's name as it is.
const MOST_BYTES: usize = 150;

/// A target of a package, as far as folders of reports distinguish them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// The library, and everything else without a folder of its own.
    Library,
    /// A program.
    Binary(&'a str),
    /// An integration test, by its name or by the name of its crate.
    Integration(&'a str),
}

impl<'a> Target<'a> {
    /// The target that a test was compiled in.
    pub fn of(test: &'a Test) -> Self {
        match (&test.binary, test.integration) {
            (Some(binary), _) => Self::Binary(binary),
            (None, true) => Self::Integration(test.krate.as_deref().unwrap_or_default()),
            (None, false) => Self::Library,
        }
    }
}

/// The folder of a target's reports, with slashes: two targets may have tests of the same name.
pub fn folder(package: &str, target: Target<'_>) -> String {
    let package = safe(package);
    match target {
        Target::Library => package,
        Target::Binary(name) => format!("{package}/bin/{}", safe(name)),
        Target::Integration(name) => format!("{package}/tests/{}", safe(&name.replace('-', "_"))),
    }
}

/// Writes a report into a directory and returns its path.
///
/// # Errors
///
/// When it cannot be written.
pub fn write(report: &Report, directory: &Path) -> Result<PathBuf, String> {
    let json = json::render(report).map_err(|error| error.to_string())?;
    let cannot =
        |what: &str, path: &Path, error| format!("`{}` cannot be {what}: {error}", path.display());
    fs::create_dir_all(directory).map_err(|error| cannot("created", directory, error))?;

    let stem = stem(&report.test.name);
    let path = directory.join(format!("{stem}.json"));
    let thread = format!("{:?}", std::thread::current().id());
    let beside = directory.join(format!(".{stem}.{}-{:x}.tmp", std::process::id(), hash(&thread)));
    let written = fs::write(&beside, json)
        .map_err(|error| cannot("written", &beside, error))
        .and_then(|()| fs::rename(&beside, &path).map_err(|error| cannot("written", &path, error)));
    if written.is_err() {
        // What was begun must not stay; that it may not even have been begun is no second error.
        _ = fs::remove_file(&beside);
    }
    written.map(|()| path)
}

/// A test's name as a file name: unsafe characters become `_`, and a hash keeps names apart that
/// would become the same.
pub fn stem(name: &str) -> String {
    let stem = safe(&name.replace("::", "__"));
    let reads_back = stem.replace("__", "::") == name;
    if reads_back && stem.len() <= MOST_BYTES {
        return stem;
    }
    let kept: String = stem.chars().take(MOST_BYTES).collect();
    format!("{kept}-{:016x}", hash(name))
}

/// A name with `_` in place of characters that are not safe in file names everywhere.
pub fn safe(name: &str) -> String {
    let keeps = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let safe: String = name.chars().map(|c| if keeps(c) { c } else { '_' }).collect();
    if safe.is_empty() { "_".to_owned() } else { safe }
}

/// The same in every run of the same build.
fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_safe_file_name() {
        assert_eq!(stem("cache::tests::evicts"), "cache__tests__evicts");
        assert_eq!(stem("plain"), "plain");
        for odd in ["../../etc/passwd", "a/b", "grün", "", "a b", "nul\0", "a__b"] {
            let stem_of_odd = stem(odd);
            assert!(
                stem_of_odd.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'),
                "{stem_of_odd}"
            );
            assert_ne!(stem_of_odd, stem(&format!("{odd}!")));
        }
        assert_ne!(stem("a__b"), stem("a::b"));
    }

    #[test]
    fn a_long_name_is_cut_and_stays_distinct() {
        let (one, other) = ("x".repeat(300), "x".repeat(301));
        assert!(stem(&one).len() < 200);
        assert_ne!(stem(&one), stem(&other));
    }

    #[test]
    fn targets_of_one_package_have_folders_of_their_own() {
        assert_eq!(folder("my-app", Target::Library), "my-app");
        assert_eq!(folder("my-app", Target::Binary("my-app")), "my-app/bin/my-app");
        assert_eq!(folder("my-app", Target::Integration("my-app")), "my-app/tests/my_app");
        assert_eq!(folder("", Target::Integration("")), "_/tests/_");
    }

    #[test]
    fn a_test_tells_its_target() {
        let mut test = Test { krate: Some("my_app".into()), ..Test::default() };
        assert_eq!(Target::of(&test), Target::Library);
        test.integration = true;
        assert_eq!(Target::of(&test), Target::Integration("my_app"));
        test.binary = Some("my-app".into());
        assert_eq!(Target::of(&test), Target::Binary("my-app"));
    }
}
