//! Writes tables to `docs/accuracy.md`, between markers.

use crate::root;

const BEGIN: &str = "<!-- begin tables -->\n";
const END: &str = "<!-- end tables -->";

/// Replaces the tables of the page.
pub(super) fn write(tables: &str) -> Result<(), String> {
    let file = root().join("docs/accuracy.md");
    let cannot = |error| format!("`{}`: {error}", file.display());
    let page = std::fs::read_to_string(&file).map_err(cannot)?;
    let page = replace(&page, tables).ok_or("docs/accuracy.md has no marks for the tables")?;
    std::fs::write(&file, page).map_err(cannot)
}

pub(super) fn replace(page: &str, tables: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{tables}\n\n{END}{after}"))
}
