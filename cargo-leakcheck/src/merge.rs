//! Merges the runs of several machines into one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use leakcheck_report::format::counted;

use crate::error::{Error, Result};
use crate::model::{FrameIn, Interner, Run, SCHEMA, Shard, Status};

/// Reads a run from its JSON report.
///
/// # Errors
///
/// If the file is incomplete, not a run, or was written by a later version.
pub(crate) fn read(path: &Path) -> Result<Run> {
    /// The parts of a run that every version can read.
    #[derive(serde::Deserialize)]
    struct Head {
        schema: u32,
        cargo_leakcheck: String,
    }
    let bytes = fs::read(path).map_err(|error| Error::file("read", path, error))?;
    let no_run = |why: &dyn Display| {
        Error::incomplete(format!("`{}` is not a run of cargo leakcheck: {why}", path.display()))
    };
    let not_whole = |error: serde_json::Error| match error.is_eof() {
        true => Error::incomplete(format!("`{}` is cut off: {error}", path.display())),
        false => no_run(&error),
    };
    let text = String::from_utf8(bytes).map_err(|error| no_run(&error))?;
    let run = serde_json::from_str(&text);
    if let Ok(Run { schema: ..=SCHEMA, .. }) = run {
        return run.map_err(not_whole);
    }
    let head: Head = serde_json::from_str(&text).map_err(not_whole)?;
    if head.schema > SCHEMA {
        return Err(Error::unusable(format!(
            "`{}` has schema {}, and this cargo-leakcheck knows schemas up to {SCHEMA}: version {} wrote it, update \
             cargo-leakcheck",
            path.display(),
            head.schema,
            head.cargo_leakcheck
        )));
    }
    run.map_err(not_whole)
}

/// The files of runs: the given files, and the JSON files in given directories.
///
/// # Errors
///
/// If a directory cannot be read or contains no JSON file.
pub(crate) fn files(given: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in given {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        gather(path, &mut files)?;
        if files.len() == before {
            return Err(Error::incomplete(format!("`{}` contains no run", path.display())));
        }
    }
    Ok(files)
}

fn gather(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let cannot = |error| Error::file("read", directory, error);
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory).map_err(cannot)? {
        entries.push(entry.map_err(cannot)?.path());
    }
    entries.sort();
    for path in entries {
        if path.is_dir() {
            gather(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    Ok(())
}

/// Joins runs. Missing and duplicate shards and tests become problems of the merged run.
pub(crate) fn join(runs: Vec<Run>, shards: Option<u32>) -> Run {
    let mut runs = runs.into_iter();
    let Some(mut all) = runs.next() else { return Run::default() };
    let mut present: Vec<Option<Shard>> = vec![all.meta.shard];
    let mut commits: BTreeSet<Option<String>> = BTreeSet::from([all.meta.commit.clone()]);
    let mut interner = Interner::of(&all);
    for run in runs {
        present.push(run.meta.shard);
        commits.insert(run.meta.commit.clone());
        all.meta.started = all.meta.started.min(run.meta.started);
        all.meta.seconds = all.meta.seconds.max(run.meta.seconds);
        all.meta.dirty |= run.meta.dirty;
        all.meta.warn_only &= run.meta.warn_only;
        all.problems.extend(run.problems.iter().cloned());
        all.programs.extend(run.programs.iter().cloned());
        all.fixed.extend(run.fixed.iter().cloned());
        add_tests(&mut all, run, &mut interner);
    }
    if commits.len() > 1 {
        let commits: Vec<String> =
            commits.iter().map(|c| c.clone().unwrap_or_else(|| "no commit".to_owned())).collect();
        all.problems.push(format!("the runs are of different commits: {}", commits.join(", ")));
    }
    all.problems.extend(shard_problems(&present, shards));
    all.meta.shard = None;
    // All shards together ran every test, so the baseline is compared with all of them again.
    all.meta.selected = present.iter().any(Option::is_none) && all.meta.selected;
    // Every machine lists the tests that are ignored.
    let mut ignored = BTreeSet::new();
    all.tests.retain(|test| test.status != Status::Ignored || ignored.insert(test.id()));
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for test in &all.tests {
        *seen.entry(test.id()).or_default() += 1;
    }
    let twice: Vec<&String> = seen.iter().filter(|(_, n)| **n > 1).map(|(id, _)| id).collect();
    if let Some(first) = twice.first() {
        let number = twice.len();
        all.problems.push(format!(
            "{} in several runs, such as `{first}`",
            counted(number as u64, "test") + if number == 1 { " is" } else { " are" }
        ));
    }
    all.tests.sort_by(|a, b| (&a.target, &a.name).cmp(&(&b.target, &b.name)));
    all
}

fn add_tests(all: &mut Run, mut run: Run, interner: &mut Interner) {
    let mut places: BTreeMap<u32, u32> = BTreeMap::from([(0, 0)]);
    let tests = std::mem::take(&mut run.tests);
    for mut test in tests {
        if let Some(check) = &mut test.check {
            let sites = check.sites.iter_mut().map(|site| &mut site.stack);
            let threads = check.threads.iter_mut().map(|thread| &mut thread.stack);
            for stack in sites.chain(threads) {
                *stack = *places.entry(*stack).or_insert_with(|| {
                    let frames: Vec<_> = run.stack(*stack).map(FrameIn::from).collect();
                    interner.stack(all, frames.into_iter())
                });
            }
        }
        all.tests.push(test);
    }
}

/// The missing and duplicate shards.
fn shard_problems(present: &[Option<Shard>], expected: Option<u32>) -> Vec<String> {
    let shards: Vec<Shard> = present.iter().flatten().copied().collect();
    let counts: BTreeSet<u32> = shards.iter().map(|shard| shard.count).chain(expected).collect();
    let mut problems = Vec::new();
    if counts.len() > 1 {
        problems.push(format!("the runs have different numbers of shards: {counts:?}"));
        return problems;
    }
    let Some(count) = counts.into_iter().next() else { return problems };
    if shards.is_empty() && present.len() != count as usize {
        problems.push(format!("only {} of {count} shards are present", present.len()));
    }
    if shards.is_empty() {
        return problems;
    }
    for index in 1..=count {
        match shards.iter().filter(|shard| shard.index == index).count() {
            0 => problems.push(format!("shard {index} of {count} is missing")),
            1 => {}
            number => problems.push(format!("shard {index} of {count} appears {number} times")),
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::tests::a_run;

    fn shard(index: u32, count: u32) -> Option<Shard> {
        Some(Shard { index, count })
    }

    #[test]
    fn a_missing_or_duplicate_shard_is_a_problem() {
        assert!(shard_problems(&[shard(1, 2), shard(2, 2)], None).is_empty());
        assert_eq!(shard_problems(&[shard(1, 2)], None), ["shard 2 of 2 is missing"]);
        assert_eq!(
            shard_problems(&[shard(1, 2), shard(1, 2), shard(2, 2)], None),
            ["shard 1 of 2 appears 2 times"]
        );
        assert_eq!(shard_problems(&[shard(1, 2), shard(2, 3)], None).len(), 1);
        assert_eq!(shard_problems(&[None, None], Some(3)), ["only 2 of 3 shards are present"]);
        assert!(shard_problems(&[None, None], None).is_empty());
    }

    #[test]
    fn merging_keeps_call_stacks() {
        let one = a_run();
        let mut other = a_run();
        for test in &mut other.tests {
            test.target = "other".to_owned();
        }
        other.frames.insert(0, leakcheck_report::Frame::of_function("first", Default::default()));
        for (_, frame) in &mut other.stacks {
            *frame += 1;
        }
        let names = |run: &Run| -> BTreeSet<String> {
            let stacks = run.tests.iter().flat_map(|test| test.sites()).map(|site| site.stack);
            stacks
                .map(|stack| run.stack(stack).map(|f| f.name()).collect::<Vec<_>>().join(";"))
                .collect()
        };
        let joined = join(vec![one.clone(), other.clone()], None);
        assert_eq!(names(&joined), names(&one).union(&names(&other)).cloned().collect());
        assert_eq!(joined.tests.len(), one.tests.len() + other.tests.len());
        assert!(joined.problems.is_empty(), "{:?}", joined.problems);
        assert!(joined.frames.len() <= one.frames.len() + 1, "frames are kept once");
    }

    #[test]
    fn a_test_that_ran_twice_is_a_problem() {
        let joined = join(vec![a_run(), a_run()], None);
        assert_eq!(joined.problems.len(), 1, "{:?}", joined.problems);
    }
}
