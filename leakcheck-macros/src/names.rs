//! The names of the arguments: the known and the nearly right.

use proc_macro2::Ident;
use syn::Error;

/// Each name with an example of its use, in the order of the documentation.
const KNOWN: [(&str, &str); 18] = [
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

/// The edits that a misspelling may be away from the name it was meant to be.
const NEAR: usize = 2;

pub(crate) fn example(name: &Ident) -> &'static str {
    KNOWN.iter().find(|(known, _)| name == known).map_or("name = value", |(_, example)| example)
}

pub(crate) fn unknown(name: &Ident) -> Error {
    let hint = nearest(&name.to_string())
        .map(|near| format!(", did you mean `{near}`?"))
        .unwrap_or_default();
    let known = KNOWN.map(|(known, _)| format!("`{known}`")).join(", ");
    Error::new(name.span(), format!("unknown argument `{name}`{hint}\nknown arguments: {known}"))
}

fn nearest(name: &str) -> Option<&'static str> {
    KNOWN
        .iter()
        .map(|(known, _)| (distance(name, known), *known))
        // Nearly every short word is two edits away from `top`.
        .filter(|(edits, known)| *edits <= NEAR && edits * 2 < known.len())
        .min()
        .map(|(_, known)| known)
}

/// Levenshtein's distance, one row at a time.
fn distance(from: &str, to: &str) -> usize {
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
