//! Writes tables to `benches/README.md`, between markers.

use crate::Result;
use crate::cargo::root;

/// Replaces the tables of a section.
pub(crate) fn write(section: &str, text: &str) -> Result<()> {
    let file = root().join("benches/README.md");
    let cannot = |error| format!("`{}`: {error}", file.display());
    let page = std::fs::read_to_string(&file).map_err(cannot)?;
    std::fs::write(&file, replace(&page, section, text)?).map_err(cannot)
}

fn replace(page: &str, section: &str, text: &str) -> Result<String> {
    let missing = || format!("benches/README.md has no markers for `{section}`");
    let (begin, end) = (format!("<!-- begin {section} -->\n"), format!("<!-- end {section} -->"));
    let (before, rest) = page.split_once(&begin).ok_or_else(missing)?;
    let (_, after) = rest.split_once(&end).ok_or_else(missing)?;
    Ok(format!("{before}{begin}\n{}\n\n{end}{after}", text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Benchmark;

    #[test]
    fn only_the_text_between_the_markers_is_replaced() {
        let page = "a\n<!-- begin dev -->\nold\n<!-- end dev -->\nb\n";
        let new = "a\n<!-- begin dev -->\n\nnew\n\n<!-- end dev -->\nb\n";
        assert_eq!(replace(page, "dev", "new\n").unwrap(), new);
        assert_eq!(replace(new, "dev", "new").unwrap(), new);
    }

    #[test]
    fn the_page_has_markers_for_every_benchmark() {
        let page = std::fs::read_to_string(root().join("benches/README.md")).unwrap();
        for benchmark in Benchmark::ALL {
            assert!(replace(&page, benchmark.name(), "").is_ok(), "{benchmark:?}");
        }
    }
}
