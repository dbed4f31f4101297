//! Writes reports as JSON files: beside their place and renamed, so that a reader never sees half a
//! file.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use super::{Report, Test, json};

/// The longest file name that is made of a test's name as it is.
const MOST_BYTES: usize = 150;

/// Writes a report below `directory`, or below the build's `target/leakcheck`, and returns its
/// path.
///
/// # Errors
///
/// Why it could not be written, in words.
pub(crate) fn write(report: &Report, directory: Option<&Path>) -> Result<PathBuf, String> {
    let directory =
        directory.map_or_else(default_directory, Path::to_owned).join(folder(&report.test));
    let json = json::render(report).map_err(|error| error.to_string())?;
    let cannot =
        |what: &str, path: &Path, error| format!("`{}` cannot be {what}: {error}", path.display());
    fs::create_dir_all(&directory).map_err(|error| cannot("created", &directory, error))?;

    let stem = file_stem(&report.test.name);
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

/// The folder of a test's target: two targets may have tests of the same name.
fn folder(test: &Test) -> PathBuf {
    let Some(package) = &test.package else {
        // cargo and nextest say at run time what the compiler could not.
        let package = std::env::var("CARGO_PKG_NAME").ok();
        return package.into_iter().chain(program()).map(|name| safe(&name)).collect();
    };
    let krate = test.krate.as_deref().unwrap_or_default();
    let package = PathBuf::from(safe(package));
    match (&test.binary, test.integration) {
        (Some(binary), _) => package.join("bin").join(safe(binary)),
        (None, true) => package.join("tests").join(safe(krate)),
        (None, false) => package,
    }
}

/// The name of the running program without the hash that cargo puts behind it.
fn program() -> Option<String> {
    let path = std::env::current_exe().ok()?;
    let stem = path.file_stem()?.to_string_lossy();
    let name = match stem.rsplit_once('-') {
        Some((name, hash))
            if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            name
        }
        _ => &stem,
    };
    Some(name.to_owned())
}

/// A test's name as a file name: what is not safe everywhere becomes `_`, and a hash keeps apart
/// what would fall together.
fn file_stem(name: &str) -> String {
    let stem = safe(&name.replace("::", "__"));
    let reads_back = stem.replace("__", "::") == name;
    if reads_back && stem.len() <= MOST_BYTES {
        return stem;
    }
    let kept: String = stem.chars().take(MOST_BYTES).collect();
    format!("{kept}-{:016x}", hash(name))
}

fn safe(name: &str) -> String {
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

/// Files that cargo puts into a target directory. The first is missing where the directory was
/// there before cargo.
const MARKS: [&str; 2] = ["CACHEDIR.TAG", ".rustc_info.json"];

/// `leakcheck` in cargo's target directory: above the test program, or, for doctests, which are
/// built elsewhere, where the environment says or beside the package.
fn default_directory() -> PathBuf {
    let is_target = |directory: &PathBuf| MARKS.iter().any(|mark| directory.join(mark).is_file());
    let program = std::env::current_exe().ok();
    let above_program =
        || program.as_deref()?.ancestors().skip(1).map(Path::to_owned).find(is_target);
    let asked_for = || std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let beside_package = || {
        let here = std::env::current_dir().ok()?;
        here.ancestors().map(|directory| directory.join("target")).find(is_target)
    };
    let beside_program = || program.as_deref().and_then(Path::parent).map(Path::to_owned);
    above_program()
        .or_else(asked_for)
        .or_else(beside_package)
        .or_else(beside_program)
        .unwrap_or_else(std::env::temp_dir)
        .join("leakcheck")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_safe_file_name() {
        assert_eq!(file_stem("cache::tests::evicts"), "cache__tests__evicts");
        assert_eq!(file_stem("plain"), "plain");
        for odd in ["../../etc/passwd", "a/b", "grün", "", "a b", "nul\0", "a__b"] {
            let stem = file_stem(odd);
            assert!(
                stem.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'),
                "{stem}"
            );
            assert_ne!(stem, file_stem(&format!("{odd}!")));
        }
        assert_ne!(file_stem("a__b"), file_stem("a::b"));
    }

    #[test]
    fn a_long_name_is_cut_and_stays_distinct() {
        let (one, other) = ("x".repeat(300), "x".repeat(301));
        assert!(file_stem(&one).len() < 200);
        assert_ne!(file_stem(&one), file_stem(&other));
    }

    #[test]
    fn targets_of_one_package_have_folders_of_their_own() {
        let test = |krate: &str, binary: Option<&str>, integration| Test {
            package: Some("my-app".into()),
            krate: Some(krate.into()),
            binary: binary.map(str::to_owned),
            integration,
            ..Test::default()
        };
        assert_eq!(folder(&test("my_app", None, false)), Path::new("my-app"));
        assert_eq!(folder(&test("my_app", Some("my-app"), false)), Path::new("my-app/bin/my-app"));
        assert_eq!(folder(&test("my_app", None, true)), Path::new("my-app/tests/my_app"));
    }
}
