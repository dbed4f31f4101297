//! Adds the attribute below every `#[test]` of a source file.

/// Annotates a file. A file with a global allocator is unchanged, because a program can have only one.
pub(super) fn annotate(source: &str) -> String {
    if source.contains("#[global_allocator]") {
        return source.to_owned();
    }
    let mut text = String::with_capacity(source.len());
    for line in source.split_inclusive('\n') {
        text.push_str(line);
        let attribute = line.trim_start();
        if attribute.trim_end() == "#[test]" {
            let indent = &line[..line.len() - attribute.len()];
            text.push_str(&format!("{indent}#[leakcheck::leak_check]\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::annotate;

    #[test]
    fn the_attribute_is_added_below_test_only() {
        let source = "    #[test]\n    fn a() {}\n// #[test]\n#[cfg(test)]\n";
        let expected =
            "    #[test]\n    #[leakcheck::leak_check]\n    fn a() {}\n// #[test]\n#[cfg(test)]\n";
        assert_eq!(annotate(source), expected);
    }

    #[test]
    fn a_file_with_a_global_allocator_is_unchanged() {
        let source = "#[global_allocator]\nstatic A: System = System;\n#[test]\nfn a() {}\n";
        assert_eq!(annotate(source), source);
    }
}
