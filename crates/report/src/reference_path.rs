//! Reference paths in words, for text and JSON alike.

use std::fmt::Write;

use crate::format::size;
use crate::holder::{Holder, Reachability, Root, Step};
use crate::order;
use crate::resource::UNNAMED;

/// The most blocks that a path names; of a longer one its two ends.
const MOST_STEPS: usize = 5;

/// The reference path of some blocks, or why there is none.
pub fn path(holder: &Holder) -> String {
    match holder.class {
        Reachability::Lost => "nothing points to it".to_owned(),
        Reachability::LostInACycle => cycle(holder),
        Reachability::IndirectlyLost => from_lost(holder),
        _ => from_root(holder),
    }
}

/// The words in front of the path, in a column of its own.
pub fn label(class: Reachability) -> &'static str {
    match class {
        Reachability::Lost | Reachability::LostInACycle | Reachability::IndirectlyLost => "lost",
        Reachability::HeldByStatic
        | Reachability::HeldByThreadLocal
        | Reachability::HeldByThread => "kept alive by",
        Reachability::PossiblyHeld => "possibly",
    }
}

fn from_root(holder: &Holder) -> String {
    let before = before_last(&holder.steps);
    let mut parts: Vec<String> =
        holder.root.iter().map(|found| root(holder.class, found)).collect();
    if holder.class == Reachability::PossiblyHeld && holder.root.is_none() {
        parts.push("memory outside Rust's heap".to_owned());
    }
    parts.extend(shortened(before, holder.omitted_steps));
    if !before.is_empty() || holder.root.as_ref().is_some_and(|root| root.name.is_some()) {
        parts.push("here".to_owned());
    }
    parts.join(" → ")
}

fn from_lost(holder: &Holder) -> String {
    let steps = shortened(before_last(&holder.steps), holder.omitted_steps);
    format!("reachable only from lost {}", steps.join(" → "))
}

/// The blocks on the path to a block.
fn before_last(steps: &[Step]) -> &[Step] {
    steps.split_last().map_or(&[], |(_, before)| before)
}

fn root(class: Reachability, root: &Root) -> String {
    let thread = |what: &str| match &root.thread {
        Some(name) if name == UNNAMED => format!("{what}of an unnamed thread"),
        Some(name) => format!("{what}of thread `{name}`"),
        None => format!("{what}of the test's own thread"),
    };
    let name = || match (&root.name, &root.module, root.offset) {
        (Some(name), Some(module), _) if is_library(module) => format!("{name} of {module}"),
        (Some(name), ..) => name.clone(),
        (None, Some(module), Some(offset)) => format!("{module} + {offset:#x}"),
        _ => "without a name".to_owned(),
    };
    match (class, root.module.is_some(), class == Reachability::HeldByThreadLocal) {
        (_, true, true) => format!("thread-local {} {}", name(), thread("")),
        (_, true, false) => format!("static {}", name()),
        _ => {
            let mut text = thread("the stack ");
            if root.thread.is_some() {
                text.push_str(", still running");
            }
            if let Some(place) = &root.started_at {
                let _ = write!(text, " (started at {place})");
            }
            text
        }
    }
}

/// By its file's name, as in `libc.so.6`.
fn is_library(module: &str) -> bool {
    module.ends_with(".so") || module.contains(".so.")
}

fn cycle(holder: &Holder) -> String {
    let through = through(&holder.steps);
    let mut parts: Vec<String> = holder.steps.iter().map(member).collect();
    if parts.is_empty() {
        return format!("in a cycle of {} blocks", holder.members);
    }
    // It ends where it begins.
    parts.rotate_right(1);
    let all_the_same = parts.iter().all(|part| *part == parts[0]);
    match &parts[..] {
        [one] => format!("in a cycle: {one} → itself{through}; make that pointer a `Weak`"),
        [one, other] => format!("in a cycle: {one} ⇄ {other}{through}; make one side a `Weak`"),
        [one, ..] if all_the_same => {
            let members = holder.members;
            format!(
                "in a cycle of {members} blocks: {one} → another … → back{through}; make one pointer a `Weak`"
            )
        }
        _ => {
            let parts = cut(parts, holder.omitted_steps);
            let members = holder.members;
            format!(
                "in a cycle of {members} blocks: {} → back{through}; make one pointer a `Weak`",
                parts.join(" → ")
            )
        }
    }
}

/// A block of a cycle: its type, or its size where that is not known.
fn member(step: &Step) -> String {
    let mut text = step.label.clone().unwrap_or_else(|| size(step.bytes));
    if let Some(place) = &step.place {
        let _ = write!(text, " ({place})");
    }
    text
}

/// The fields that close a cycle, where they are known.
fn through(steps: &[Step]) -> String {
    let mut fields: Vec<&str> = steps.iter().filter_map(|step| step.field.as_deref()).collect();
    order::sort_by(&mut fields, Ord::cmp);
    fields.dedup();
    if fields.is_empty() || fields.len() > MOST_STEPS {
        return String::new();
    }
    let fields: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
    format!(" through {}", fields.join(" and "))
}

fn shortened(steps: &[Step], omitted: u64) -> Vec<String> {
    cut(steps.iter().map(step).collect(), omitted)
}

/// The two ends of a long path, of which `omitted` steps are not there to begin with.
fn cut(mut parts: Vec<String>, omitted: u64) -> Vec<String> {
    let middle = parts.len() / 2;
    let left_out = parts.len().saturating_sub(MOST_STEPS);
    if left_out as u64 + omitted > 0 {
        let from = if left_out == 0 { middle } else { MOST_STEPS / 2 };
        let more = left_out as u64 + omitted;
        parts.splice(from..from + left_out, [format!("… {more} more")]);
    }
    parts
}

fn step(step: &Step) -> String {
    let mut text = match &step.label {
        Some(label) => format!("{label} {}", size(step.bytes)),
        None => size(step.bytes),
    };
    if let Some(place) = &step.place {
        let _ = write!(text, " ({place})");
    }
    text
}
