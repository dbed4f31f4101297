//! Patterns over names: the globs of `LEAK_SKIP` and the templates of suppression files.

/// A pattern in which `*` stands for any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    /// What must match: the text between the stars, in order.
    parts: Vec<String>,
    from_start: bool,
    to_end: bool,
}

impl Pattern {
    /// A glob: matches the whole name.
    pub fn glob(text: &str) -> Self {
        Self::new(text, text, true, true)
    }

    /// A template as LeakSanitizer reads it: matches anywhere in the name, `^` ties it to the start
    /// and `$` to the end.
    pub fn template(text: &str) -> Self {
        let from_start = text.starts_with('^');
        let to_end = text.len() > 1 && text.ends_with('$');
        let inner = text.strip_prefix('^').unwrap_or(text);
        let inner = if to_end { inner.strip_suffix('$').unwrap_or(inner) } else { inner };
        Self::new(text, inner, from_start, to_end)
    }

    fn new(text: &str, inner: &str, from_start: bool, to_end: bool) -> Self {
        Self {
            text: text.to_owned(),
            parts: inner.split('*').map(str::to_owned).collect(),
            from_start,
            to_end,
        }
    }

    /// The pattern as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a name matches.
    pub fn matches(&self, name: &str) -> bool {
        let (first, rest) =
            self.parts.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
        let starts = if self.from_start { 0..1 } else { 0..name.len() + 1 };
        starts.filter(|&at| name.is_char_boundary(at)).any(|at| {
            name[at..].strip_prefix(first).is_some_and(|after| self.rest_matches(after, rest))
        })
    }

    /// Takes every part at the first place where it is found, and the last one at the end where it
    /// is tied to it.
    fn rest_matches(&self, mut name: &str, parts: &[String]) -> bool {
        let Some((last, middle)) = parts.split_last() else {
            return !self.to_end || name.is_empty();
        };
        for part in middle {
            let Some(at) = name.find(part.as_str()) else { return false };
            name = &name[at + part.len()..];
        }
        if self.to_end { name.ends_with(last.as_str()) } else { name.contains(last.as_str()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_matches_the_whole_name() {
        let matches = |glob, name| Pattern::glob(glob).matches(name);
        assert!(matches("cache::*", "cache::tests::evicts"));
        assert!(matches("*::evicts", "cache::tests::evicts"));
        assert!(matches("*tests*", "cache::tests::evicts"));
        assert!(matches("c*tests::*icts", "cache::tests::evicts"));
        assert!(matches("evicts", "evicts"));
        assert!(matches("*", "") && matches("", ""));
        assert!(!matches("evicts", "cache::evicts"));
        assert!(!matches("cache", "cache::evicts"));
        assert!(!matches("aba*aba", "aba"), "the two ends must not share text");
    }

    #[test]
    fn a_template_matches_anywhere_unless_it_is_tied() {
        let matches = |template, name| Pattern::template(template).matches(name);
        assert!(matches("Cache", "app::Cache::insert"));
        assert!(matches("app*insert", "my::app::Cache::insert_all"));
        assert!(matches("^app", "app::Cache") && !matches("^Cache", "app::Cache"));
        assert!(matches("Cache$", "app::Cache") && !matches("app$", "app::Cache"));
        assert!(matches("^app::*::insert$", "app::Cache::insert"));
        assert!(!matches("^app::*::insert$", "app::Cache::insert_all"));
        assert!(matches("ü", "grün"));
    }
}
