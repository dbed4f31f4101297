//! Who holds the blocks of a call site.

use std::cmp::Reverse;
use std::fmt::{self, Write};

use super::{WIDTH, blocks, counted, len, size};
use crate::report::holder::{Holder, Holding};
use crate::report::words;

/// The most holders that a call site shows.
const MOST_HOLDERS: usize = 3;
/// What is said of a block stands behind a word or two.
const LABEL: usize = 9;

/// Adds holders of one more call site. Those that read the same are one to the reader.
pub(super) fn add(holders: &mut Vec<Holder>, more: &[Holder]) {
    for holder in more {
        let same = |known: &&mut Holder| known.class == holder.class && (known.path == holder.path);
        match holders.iter_mut().find(same) {
            Some(known) => {
                known.bytes += holder.bytes;
                known.blocks += holder.blocks;
                known.retained_bytes += holder.retained_bytes;
            }
            None => holders.push(holder.clone()),
        }
    }
    holders.sort_by_key(|holder| (is_below(holder), Reverse((holder.bytes, holder.blocks))));
}

/// Whether something else that leaked has to go first.
fn is_below(holder: &Holder) -> bool {
    holder.class == Holding::IndirectlyLost
}

pub(super) fn write(out: &mut String, indent: usize, holders: &[Holder]) -> fmt::Result {
    for holder in holders.iter().take(MOST_HOLDERS) {
        let mut text = String::new();
        if holders.len() > 1 {
            write!(text, "{} in {}: ", size(holder.bytes), blocks(holder.blocks))?;
        }
        text.push_str(&holder.path);
        let more = holder.retained_bytes.saturating_sub(holder.bytes);
        // What hangs on others is summed under them.
        if more > 0 && !is_below(holder) {
            write!(text, "; {} hangs on it", size(more))?;
        }
        let mut label = words::label(holder.class);
        for line in lines(&text, WIDTH.saturating_sub(indent + LABEL + 2)) {
            writeln!(out, "{:indent$}{label:<LABEL$}  {line}", "")?;
            label = "";
        }
    }
    let more = holders.len().saturating_sub(MOST_HOLDERS);
    if more > 0 {
        let more = counted(more as u64, "more holder", "more holders");
        writeln!(out, "{:indent$}{:<LABEL$}  … and {more}", "", "")?;
    }
    Ok(())
}

/// A way on lines that are no wider than that, where its steps allow it.
fn lines(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for part in parts(text) {
        let line = lines.last_mut().expect("there is always one");
        if line.is_empty() || len(line) + len(part) <= width {
            line.push_str(part);
        } else {
            lines.push(format!("  {}", part.trim_start()));
        }
    }
    lines
}

/// The parts of a way, each with what joins it to the one before.
fn parts(text: &str) -> Vec<&str> {
    const JOINTS: [&str; 4] = [" → ", " ⇄ ", " through ", " (started at "];
    let ends = |joint| text.match_indices(joint).map(|(at, _)| at);
    let mut cuts: Vec<usize> = JOINTS.into_iter().flat_map(ends).collect();
    cuts.extend(text.match_indices("; ").map(|(at, _)| at + 1));
    cuts.extend([0, text.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_ways_go_on_in_the_next_line_at_a_step() {
        let way = "static app::CACHE → Vec<Session> 96 B (src/app.rs:7) → here; 3 B hangs on it";
        let expected = [
            "static app::CACHE",
            "  → Vec<Session> 96 B (src/app.rs:7) → here;",
            "  3 B hangs on it",
        ];
        let found = lines(way, 46);
        assert_eq!(found, expected);
        assert_eq!(lines(way, 200), [way]);
        assert_eq!(lines("static without_steps", 3), ["static without_steps"]);
    }

    #[test]
    fn what_hangs_on_others_comes_after_them() {
        let holder = |class, bytes| Holder {
            class,
            bytes,
            blocks: 1,
            retained_bytes: 300,
            retained_blocks: 2,
            path: format!("{class:?}"),
            root: None,
            steps: Vec::new(),
            omitted_steps: 0,
            members: 0,
        };
        let mut holders = Vec::new();
        add(&mut holders, &[holder(Holding::IndirectlyLost, 200), holder(Holding::Lost, 100)]);
        let mut out = String::new();
        write(&mut out, 2, &holders).unwrap();
        assert_eq!(
            out,
            "  lost       100 B in 1 block: Lost; 200 B hangs on it\n\
             \x20 lost       200 B in 1 block: IndirectlyLost\n"
        );
    }
}
