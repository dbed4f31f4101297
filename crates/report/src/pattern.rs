//! Patterns over names, in which `*` stands for any text.

/// A glob, as in `LEAK_SKIP`: matches the whole name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    text: String,
    parts: Parts,
}

impl Glob {
    /// Reads a glob; any text is one.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { parts: Parts::new(&text, true, true), text }
    }

    /// The glob as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a name matches.
    pub fn matches(&self, name: &str) -> bool {
        self.parts.match_in(name)
    }
}

/// A template, as in LeakSanitizer's suppression files: matches anywhere in the name, `^` ties it to
/// the start and `$` to the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Parts,
}

impl Template {
    /// Reads a template; any text is one.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let from_start = text.starts_with('^');
        let to_end = text.len() > 1 && text.ends_with('$');
        let inner = text.strip_prefix('^').unwrap_or(&text);
        let inner = if to_end { inner.strip_suffix('$').unwrap_or(inner) } else { inner };
        Self { parts: Parts::new(inner, from_start, to_end), text }
    }

    /// The template as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a name matches.
    pub fn matches(&self, name: &str) -> bool {
        self.parts.match_in(name)
    }
}

/// What must match: the text between the stars, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    parts: Vec<String>,
    from_start: bool,
    to_end: bool,
}

impl Parts {
    fn new(text: &str, from_start: bool, to_end: bool) -> Self {
        Self { parts: text.split('*').map(str::to_owned).collect(), from_start, to_end }
    }

    fn match_in(&self, name: &str) -> bool {
        let (first, rest) =
            self.parts.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
        if self.from_start {
            return name.strip_prefix(first).is_some_and(|after| self.rest_matches(after, rest));
        }
        if rest.is_empty() {
            return if self.to_end { name.ends_with(first) } else { name.contains(first) };
        }
        // The first occurrence leaves the most text for the other parts.
        name.find(first).is_some_and(|at| self.rest_matches(&name[at + first.len()..], rest))
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
        let matches = |glob, name| Glob::new(glob).matches(name);
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
        let matches = |template, name| Template::new(template).matches(name);
        assert!(matches("Cache", "app::Cache::insert"));
        assert!(matches("app*insert", "my::app::Cache::insert_all"));
        assert!(matches("^app", "app::Cache") && !matches("^Cache", "app::Cache"));
        assert!(matches("Cache$", "app::Cache") && !matches("app$", "app::Cache"));
        assert!(matches("^app::*::insert$", "app::Cache::insert"));
        assert!(!matches("^app::*::insert$", "app::Cache::insert_all"));
        assert!(matches("ü", "grün"));
        assert!(matches("aba$", "ababa") && matches("a*ba$", "aaba") && matches("", "any"));
    }
}
