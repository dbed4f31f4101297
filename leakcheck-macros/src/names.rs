//! The names of the arguments, and suggestions for misspelled ones.

use proc_macro2::Ident;
use syn::Error;

/// Each argument with an example of its use, in the order of the documentation.
const ARGUMENTS: [(&str, &str); 18] = [
    ("threshold_mb", "threshold_mb = 5"),
    ("threshold_bytes", "threshold_bytes = 4096"),
    ("threshold_blocks", "threshold_blocks = 3"),
    ("peak_mb", "peak_mb = 64"),
    ("kind", "kind = \"long_running\""),
    ("scope", "scope = \"process\""),
    ("measure", "measure = \"retained\""),
    ("skip", "skip = \"why\""),
    ("iterations", "iterations = \"auto\""),
    ("warmup", "warmup = 2"),
    ("settle_ms", "settle_ms = 500"),
    ("threads", "threads = 0"),
    ("fds", "fds = 0"),
    ("children", "children = 0"),
    ("c_heap_mb", "c_heap_mb = 1"),
    ("lost_bytes", "lost_bytes = 0"),
    ("top", "top = 10"),
    ("crate", "crate = my_reexports::leakcheck"),
];

/// A name that is more edits away from a known one is not taken for a misspelling of it.
const MAX_EDITS: usize = 2;

pub(crate) fn example(name: &Ident) -> &'static str {
    let known = ARGUMENTS.iter().find(|(known, _)| name == known);
    known.map_or("name = value", |(_, example)| example)
}

pub(crate) fn unknown(name: &Ident) -> Error {
    let suggestion = nearest(&name.to_string())
        .map(|nearest| format!("; did you mean `{nearest}`?"))
        .unwrap_or_default();
    let known = ARGUMENTS.map(|(known, _)| format!("`{known}`")).join(", ");
    let message = format!("unknown argument `{name}`{suggestion}\nexpected one of: {known}");
    Error::new(name.span(), message)
}

fn nearest(name: &str) -> Option<&'static str> {
    ARGUMENTS
        .iter()
        .map(|(known, _)| (edit_distance(name, known), *known))
        // The second condition is for `top`, which is two edits away from most short words.
        .filter(|(edits, known)| *edits <= MAX_EDITS && edits * 2 < known.len())
        .min()
        .map(|(_, known)| known)
}

/// The Levenshtein distance, computed one row at a time.
fn edit_distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (line, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, b) in to.chars().enumerate() {
            let replace = diagonal + usize::from(a != b);
            diagonal = row[column + 1];
            row[column + 1] = replace.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[row.len() - 1]
}
