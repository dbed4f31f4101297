//! Where the reports of this process go.

use std::path::{Path, PathBuf};

use leakcheck_report::file::{self, Target};
use leakcheck_system::spare_fd;

use crate::journal;
use crate::report::{Report, Test};

/// Writes a report below `directory`, or below the build's `target/leakcheck`, and returns its path.
///
/// # Errors
///
/// When it cannot be written.
pub(crate) fn write(report: &Report, directory: Option<&Path>) -> Result<PathBuf, String> {
    let directory = directory.map_or_else(default_directory, Path::to_owned);
    let directory = directory.join(folder(&report.test));
    let written = spare_fd::with_one_free(|| file::write(report, &directory));
    written.inspect_err(|error| journal::unwritten(&report.test.name, error))
}

fn folder(test: &Test) -> PathBuf {
    match &test.package {
        Some(package) => PathBuf::from(file::folder(package, Target::of(test))),
        None => {
            // cargo and nextest set at run time what was unknown at compile time.
            let package = std::env::var("CARGO_PKG_NAME").ok();
            package.into_iter().chain(program()).map(|name| file::safe(&name)).collect()
        }
    }
}

/// The name of the running program without the hash that cargo appends.
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

/// Files that cargo puts into a target directory. The first is missing where the directory existed
/// before.
const MARKS: [&str; 2] = ["CACHEDIR.TAG", ".rustc_info.json"];

/// `leakcheck` in cargo's target directory: the one above the test program or, for doctests, which are
/// built elsewhere, the one that the environment names or that is beside the package.
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
