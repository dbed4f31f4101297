//! Globs over the names of tests: `*` stands for any text.

/// A glob that matches a whole name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob(String);

impl Glob {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else { return self.0 == name };
        let Some(mut name) = name.strip_prefix(first) else { return false };
        let mut parts: Vec<&str> = rest.split('*').collect();
        let last = parts.pop().unwrap_or_default();
        for part in parts {
            let Some(at) = name.find(part) else { return false };
            name = &name[at + part.len()..];
        }
        name.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_matches_the_whole_name() {
        let matches = |glob: &str, name| Glob::new(glob).matches(name);
        assert!(
            matches("cache::*", "cache::tests::evicts") && matches("*::evicts", "cache::evicts")
        );
        assert!(matches("c*tests::*icts", "cache::tests::evicts") && matches("*", ""));
        assert!(matches("evicts", "evicts") && !matches("evicts", "cache::evicts"));
        assert!(!matches("aba*aba", "aba"), "the two ends must not share text");
        assert!(!matches("cache", "cache::evicts"));
    }
}
