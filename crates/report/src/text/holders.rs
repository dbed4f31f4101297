//! What keeps the blocks of a call site alive.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::{self, Write};

use super::{LABEL, WIDTH, blocks, len};
use crate::format::{counted, share, size};
use crate::holder::{Holder, Reachability};
use crate::order;
use crate::reference_path;

/// The most holders that a call site shows.
const MOST_HOLDERS: usize = 3;
/// Adds holders of one more call site. Those that read the same, of blocks of the same type, are one to
/// the reader, and so are the blocks of a cycle. Blocks come before those that they keep alive.
pub(super) fn add(holders: &mut Vec<Holder>, more: &[Holder], all_bytes: u64) {
    for holder in more {
        let cycle = cycle(holder);
        let same = |known: &&mut Holder| {
            known.class == holder.class
                && (reads_the_same(known, holder)
                    || (cycle.is_some() && self::cycle(known) == cycle))
        };
        match holders.iter_mut().find(same) {
            Some(known) => {
                known.bytes += holder.bytes;
                known.blocks += holder.blocks;
                // Blocks of one call site may retain those of another, as in a list, and have counted them.
                let both = known.retained_bytes + holder.retained_bytes;
                let larger = known.retained_bytes.max(holder.retained_bytes);
                known.retained_bytes = if both > all_bytes { larger } else { both };
            }
            None => holders.push(holder.clone()),
        }
    }
    order::sort_by_key(holders, |holder| {
        (is_consequence(holder), Reverse((holder.retained_bytes, holder.bytes, holder.blocks)))
    });
}

fn reads_the_same(one: &Holder, other: &Holder) -> bool {
    one.path == other.path && label(one) == label(other)
}

/// The type of the block at the end of the path.
fn label(holder: &Holder) -> Option<&str> {
    holder.steps.last()?.label.as_deref()
}

/// What distinguishes a holder's blocks from others with the same reference path.
fn distinction(holder: &Holder, all: &[Holder]) -> String {
    let is_alone = all.iter().filter(|other| other.path == holder.path).count() < 2;
    match label(holder).filter(|_| !is_alone) {
        Some(label) => format!(" of {label}"),
        None => String::new(),
    }
}

/// Whether the blocks would be freed with others that leaked.
fn is_consequence(holder: &Holder) -> bool {
    holder.class == Reachability::IndirectlyLost
}

/// Whether all blocks of a call site would be freed with others that leaked.
pub(super) fn are_consequences(holders: &[Holder]) -> bool {
    !holders.is_empty() && holders.iter().all(is_consequence)
}

/// The blocks of a cycle, from whichever of them it is described.
#[derive(PartialEq, Eq, Hash)]
struct Cycle {
    blocks: u64,
    named: Vec<(Option<String>, Option<String>)>,
}

fn cycle(holder: &Holder) -> Option<Cycle> {
    if holder.class != Reachability::LostInACycle || holder.steps.is_empty() {
        return None;
    }
    let steps = holder.steps.iter();
    let mut named: Vec<_> = steps.map(|step| (step.label.clone(), step.place.clone())).collect();
    order::sort_by(&mut named, Ord::cmp);
    Some(Cycle { blocks: holder.members, named })
}

/// The cycles that a report has described, with the number of the call site where it did.
#[derive(Default)]
pub(super) struct Cycles(HashMap<Cycle, usize>);

impl Cycles {
    /// The number of the call site before this one that describes the cycle from another block.
    fn described_at(&mut self, holder: &Holder, number: usize) -> Option<usize> {
        let at = *self.0.entry(cycle(holder)?).or_insert(number);
        (at != number).then_some(at)
    }
}

/// The holders of the call site with this number, which has so many bytes.
pub(super) fn write(
    out: &mut String,
    indent: usize,
    (number, bytes): (usize, u64),
    holders: &[Holder],
    cycles: &mut Cycles,
) -> fmt::Result {
    let all: u64 = holders.iter().map(|holder| holder.bytes).sum();
    // Another run, of fewer calls, has other figures.
    let is_of_this_run = all == bytes;
    for holder in holders.iter().take(MOST_HOLDERS) {
        let mut text = String::new();
        if holders.len() > 1 && is_of_this_run {
            let of = distinction(holder, holders);
            write!(text, "{} in {}{of}: ", size(holder.bytes), blocks(holder.blocks))?;
        } else if holders.len() > 1 {
            write!(text, "{}{}: ", share(holder.bytes, all), distinction(holder, holders))?;
        }
        if holder.class == Reachability::PossiblyHeld {
            text.push_str("kept alive by ");
        }
        match cycles.described_at(holder, number) {
            Some(at) => write!(text, "in the cycle of call site {at}")?,
            None => text.push_str(&holder.path),
        }
        let retains_more = holder.retained_bytes > holder.bytes;
        // Blocks that others retain are summed up there.
        if retains_more && is_of_this_run && !is_consequence(holder) {
            write!(text, " (retains {})", size(holder.retained_bytes))?;
        }
        let mut label = reference_path::label(holder.class);
        for line in lines(&text, WIDTH.saturating_sub(indent + LABEL + 2)) {
            writeln!(out, "{:indent$}{label:<LABEL$}  {line}", "")?;
            label = "";
        }
    }
    let more = holders.len().saturating_sub(MOST_HOLDERS);
    if more > 0 {
        let more = counted(more as u64, "more path");
        writeln!(out, "{:indent$}{:<LABEL$}  … and {more}", "", "")?;
    }
    Ok(())
}

/// A path on lines that are no wider than that, where its steps allow it.
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

/// The parts of a path, each with what joins it to the one before.
fn parts(text: &str) -> Vec<&str> {
    const JOINTS: [&str; 5] = [" → ", " ⇄ ", " through ", " (started at ", " (retains "];
    let ends = |joint| text.match_indices(joint).map(|(at, _)| at);
    let mut cuts: Vec<usize> = JOINTS.into_iter().flat_map(ends).collect();
    // Not inside of `[T; 3]`.
    let is_outside =
        |at: &usize| text[..*at].matches('[').count() == text[..*at].matches(']').count();
    cuts.extend(text.match_indices("; ").map(|(at, _)| at).filter(is_outside).map(|at| at + 1));
    cuts.extend([0, text.len()]);
    order::sort_by(&mut cuts, Ord::cmp);
    cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amount::Amount;
    use crate::holder::Step;

    #[test]
    fn long_paths_continue_on_the_next_line_at_a_step() {
        let path = "static app::CACHE → Vec<Session> 96 B (src/app.rs:7) → here (retains 3.00 KiB)";
        let expected = [
            "static app::CACHE",
            "  → Vec<Session> 96 B (src/app.rs:7) → here",
            "  (retains 3.00 KiB)",
        ];
        let found = lines(path, 46);
        assert_eq!(found, expected);
        assert_eq!(lines(path, 200), [path]);
        let array = "static app::GRID → Box<[u8; 300]> 300 B → here";
        assert_eq!(lines(array, 32), ["static app::GRID", "  → Box<[u8; 300]> 300 B → here"]);
        assert_eq!(lines("static without_steps", 3), ["static without_steps"]);
    }

    fn holder(class: Reachability, bytes: u64, retained_bytes: u64, path: &str) -> Holder {
        Holder {
            retained_bytes,
            retained_blocks: 2,
            path: path.to_owned(),
            ..Holder::new(class, Amount { bytes, blocks: 1 })
        }
    }

    fn shown(sites: &[&[Holder]]) -> String {
        let (mut out, mut cycles) = (String::new(), Cycles::default());
        for (index, holders) in sites.iter().enumerate() {
            let bytes = holders.iter().map(|holder| holder.bytes).sum();
            write(&mut out, 2, (index + 1, bytes), holders, &mut cycles).unwrap();
        }
        out
    }

    #[test]
    fn blocks_come_before_those_that_they_keep_alive() {
        let mut holders = Vec::new();
        let string =
            holder(Reachability::IndirectlyLost, 200, 900, "reachable only from lost Node 100 B");
        add(
            &mut holders,
            &[string, holder(Reachability::Lost, 100, 300, "nothing points to it")],
            10_000,
        );
        assert_eq!(
            shown(&[&holders]),
            "  lost           100 B in 1 block: nothing points to it (retains 300 B)\n\
             \x20 lost           200 B in 1 block: reachable only from lost Node 100 B\n"
        );
        let mut holders = Vec::new();
        let table = holder(Reachability::HeldByStatic, 30, 430, "static app::SEEN → here");
        let entry = holder(Reachability::HeldByStatic, 400, 400, "static app::SEEN → table → here");
        add(&mut holders, &[entry, table], 10_000);
        assert_eq!(holders[0].bytes, 30);
    }

    #[test]
    fn a_call_site_is_a_consequence_where_all_of_its_blocks_are() {
        let indirect =
            holder(Reachability::IndirectlyLost, 200, 200, "reachable only from lost Node 100 B");
        let lost = holder(Reachability::Lost, 100, 300, "nothing points to it");
        assert!(are_consequences(&[indirect.clone(), indirect.clone()]));
        assert!(!are_consequences(&[indirect, lost]));
        assert!(!are_consequences(&[]));
    }

    #[test]
    fn blocks_of_two_types_are_kept_apart() {
        let of = |label: &str, bytes| Holder {
            steps: vec![Step { label: Some(label.to_owned()), ..Step::default() }],
            ..holder(Reachability::HeldByStatic, bytes, bytes, "static app::TREE → node → here")
        };
        let mut holders = Vec::new();
        add(
            &mut holders,
            &[of("Box<[u8]>", 400), of("LeafNode", 280), of("Box<[u8]>", 100)],
            10_000,
        );
        assert_eq!(
            shown(&[&holders]),
            "  kept alive by  500 B in 2 blocks of Box<[u8]>: static app::TREE → node → here\n\
             \x20 kept alive by  280 B in 1 block of LeafNode: static app::TREE → node → here\n"
        );
    }

    #[test]
    fn figures_of_another_run_are_shares() {
        let held = holder(Reachability::HeldByStatic, 30, 430, "static app::SEEN → here");
        let lost = holder(Reachability::Lost, 10, 10, "nothing points to it");
        let mut out = String::new();
        write(&mut out, 2, (1, 4000), &[held, lost], &mut Cycles::default()).unwrap();
        assert_eq!(
            out,
            "  kept alive by  75.0 %: static app::SEEN → here\n\
             \x20 lost           25.0 %: nothing points to it\n"
        );
    }

    #[test]
    fn the_blocks_of_a_list_are_retained_once() {
        let mut holders = Vec::new();
        let first = holder(Reachability::HeldByStatic, 100, 1000, "static app::QUEUE → here");
        let next = holder(Reachability::HeldByStatic, 100, 500, "static app::QUEUE → here");
        add(&mut holders, &[first.clone(), next.clone()], 1000);
        assert_eq!((holders[0].bytes, holders[0].retained_bytes), (200, 1000));
        let mut holders = Vec::new();
        add(&mut holders, &[first, next], 1500);
        assert_eq!(holders[0].retained_bytes, 1500);
    }

    #[test]
    fn a_cycle_is_described_once() {
        let step = |line: u32| Step {
            label: Some("Rc<Node>".to_owned()),
            place: Some(format!("src/graph.rs:{line}")),
            ..Step::default()
        };
        let member = |first, second, path: &str| Holder {
            steps: vec![step(first), step(second)],
            members: 2,
            ..holder(Reachability::LostInACycle, 56, 56, path)
        };
        assert_eq!(
            shown(&[
                &[member(18, 19, "in a cycle: 18 ⇄ 19")],
                &[member(19, 18, "in a cycle: 19 ⇄ 18")],
                &[member(18, 20, "in a cycle: 18 ⇄ 20")],
            ]),
            "  lost           in a cycle: 18 ⇄ 19\n\
             \x20 lost           in the cycle of call site 1\n\
             \x20 lost           in a cycle: 18 ⇄ 20\n"
        );
        let mut holders = vec![member(18, 19, "in a cycle: 18 ⇄ 19")];
        add(
            &mut holders,
            &[member(19, 18, "in a cycle: 19 ⇄ 18"), member(18, 20, "another")],
            10_000,
        );
        assert_eq!(holders.iter().map(|holder| holder.bytes).collect::<Vec<_>>(), [112, 56]);
    }
}
