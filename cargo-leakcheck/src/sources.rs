//! Excerpts of the source code around allocations, for the page.

use std::collections::BTreeMap;
use std::fs;

use leakcheck_report::Class;

use crate::model::{Run, Status};
use crate::workspace::Workspace;

/// The number of lines before and after an allocation.
const AROUND: u32 = 4;
/// Limits the size of the page: the number of excerpts, and of call sites per test.
const MOST_PLACES: usize = 4000;
const MOST_SITES: usize = 40;
const LONGEST_LINE: usize = 300;

/// The number of the first line, and the lines.
pub(crate) type Excerpt = (u32, Vec<String>);

/// Excerpts by `file:line` around the frames of the user's code, for tests that leak or nearly do.
pub(crate) fn around(run: &Run, workspace: &Workspace) -> BTreeMap<String, Excerpt> {
    let mut excerpts = BTreeMap::new();
    let mut files: BTreeMap<&str, Option<Vec<String>>> = BTreeMap::new();
    for test in run.by_importance() {
        let most = match test.status {
            Status::Leaked | Status::Known | Status::Regressed => MOST_SITES,
            _ => 3,
        };
        for site in test.sites().iter().take(most) {
            for frame in run.stack(site.stack).filter(|frame| frame.class == Class::User) {
                let (Some(file), Some(line)) = (&frame.file, frame.line) else { continue };
                if excerpts.len() >= MOST_PLACES {
                    return excerpts;
                }
                let lines = files.entry(file).or_insert_with(|| {
                    let text = fs::read(workspace.source(file)?).ok()?;
                    Some(String::from_utf8_lossy(&text).lines().map(cut).collect())
                });
                if let Some(excerpt) = lines.as_ref().and_then(|lines| excerpt(lines, line)) {
                    excerpts.entry(format!("{file}:{line}")).or_insert(excerpt);
                }
            }
        }
    }
    excerpts
}

fn excerpt(lines: &[String], line: u32) -> Option<Excerpt> {
    let first = line.saturating_sub(AROUND).max(1);
    let last = (line + AROUND).min(u32::try_from(lines.len()).ok()?);
    (line >= 1 && line <= last).then(|| (first, lines[first as usize - 1..last as usize].to_vec()))
}

fn cut(line: &str) -> String {
    line.chars().take(LONGEST_LINE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_ends_where_the_file_does() {
        let lines: Vec<String> = (1..=10).map(|n| n.to_string()).collect();
        assert_eq!(excerpt(&lines, 1).unwrap(), (1, lines[0..5].to_vec()));
        assert_eq!(excerpt(&lines, 9).unwrap(), (5, lines[4..10].to_vec()));
        assert_eq!(excerpt(&lines, 11), None, "the file has changed since");
        assert_eq!(excerpt(&[], 1), None);
    }
}
