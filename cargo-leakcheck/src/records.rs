//! The records of the test programs of a run. The target runner writes them to files, and the command
//! reads them.

use std::fs;
use std::path::{Path, PathBuf};

use leakcheck_report::run::{Outcome, Program};

use crate::error::{Error, Result};
use crate::libtest;

/// The folder of the records, in the directory of a run.
const FOLDER: &str = "programs";

/// Creates the folder of the records. Test programs write there before they have a record.
pub(crate) fn make_folder(directory: &Path) -> Result<()> {
    let folder = directory.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|error| Error::file("made", &folder, error))
}

/// Reads all records in the order in which the programs started.
pub(crate) fn read(directory: &Path) -> Vec<Program> {
    let mut records: Vec<Program> = files(directory).filter_map(|path| read_one(&path)).collect();
    records.sort_by(|a, b| (a.started_ms, &a.path).cmp(&(b.started_ms, &b.path)));
    records
}

/// The files of the records. The directory is missing if no program was started.
fn files(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(directory.join(FOLDER)).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"))
}

fn read_one(path: &Path) -> Option<Program> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// The progress of a run.
#[derive(Debug, Default)]
pub(crate) struct Count {
    pub(crate) tests: usize,
    pub(crate) ended: usize,
    pub(crate) failed: usize,
    /// The last test that has ended.
    pub(crate) last: Option<String>,
}

/// Counts the tests of the programs that were started.
pub(crate) fn count(directory: &Path) -> Count {
    let mut count = Count::default();
    for path in files(directory) {
        let Some(record) = read_one(&path) else { continue };
        let is_running = record.end.is_none();
        let mut tests = record.tests.unwrap_or_default();
        if is_running {
            libtest::read_outcomes(&path.with_extension(libtest::OUTCOMES), &mut tests);
        }
        count.tests += tests.len();
        for test in tests {
            count.ended += usize::from(test.outcome.is_some());
            count.failed += usize::from(test.outcome == Some(Outcome::Failed));
            if test.outcome.is_some() && (is_running || count.last.is_none()) {
                count.last = Some(test.name);
            }
        }
    }
    count
}

/// The files of one program in the directory of a run.
pub(crate) struct Files {
    record: PathBuf,
    pub(crate) tests: PathBuf,
    pub(crate) outcomes: PathBuf,
    pub(crate) journal: PathBuf,
}

impl Files {
    pub(crate) fn new(directory: &Path, started_ms: u64) -> Self {
        // A process id can recur in a long run, but not in the same millisecond.
        let stem = format!("{started_ms}-{}", std::process::id());
        let file = |extension| directory.join(FOLDER).join(&stem).with_extension(extension);
        Self {
            record: file("json"),
            tests: file(libtest::TESTS),
            outcomes: file(libtest::OUTCOMES),
            journal: file("journal"),
        }
    }

    /// Writes the record under a temporary name and renames it. A failure needs no message, because a
    /// program without a record makes the run incomplete.
    pub(crate) fn keep(&self, record: &Program) {
        let json = serde_json::to_vec(record).unwrap_or_default();
        _ = crate::output::write(&self.record, &json);
    }
}
