//! Where a check stands in the user's project.

use std::borrow::Cow;

/// What the compiler knows of a check's place. Without the attribute, only a name may be known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    pub(crate) name: Option<Cow<'static, str>>,
    pub(crate) package: Option<&'static str>,
    pub(crate) binary: Option<&'static str>,
    pub(crate) krate: Option<&'static str>,
    pub(crate) integration: bool,
    pub(crate) file: Option<&'static str>,
    pub(crate) line: Option<u32>,
}

impl Origin {
    /// Of a function with the attribute; `module` is its `module_path!()`.
    pub fn of_function(
        module: &'static str,
        function: &'static str,
        file: &'static str,
        line: u32,
    ) -> Self {
        let (krate, path) = module.split_once("::").unwrap_or((module, ""));
        let name =
            if path.is_empty() { function.to_owned() } else { format!("{path}::{function}") };
        Self {
            name: Some(name.into()),
            krate: Some(krate),
            file: Some(file),
            line: Some(line),
            ..Self::default()
        }
    }

    /// What cargo says of the target at compile time: package, program and whether it is an
    /// integration test.
    pub fn in_target(
        mut self,
        package: Option<&'static str>,
        binary: Option<&'static str>,
        integration: bool,
    ) -> Self {
        (self.package, self.binary, self.integration) = (package, binary, integration);
        self
    }

    /// The name that reports know the check by; the name of the thread where none was given.
    pub(crate) fn display_name(&self) -> String {
        match &self.name {
            Some(name) => name.clone().into_owned(),
            None => std::thread::current().name().unwrap_or("unnamed").to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_named_as_libtest_names_it() {
        let name = |module, function| {
            Origin::of_function(module, function, "src/lib.rs", 1).display_name()
        };
        assert_eq!(name("app::cache::tests", "evicts"), "cache::tests::evicts");
        assert_eq!(name("api", "serves"), "serves");
    }

    #[test]
    fn without_a_name_the_thread_gives_it() {
        assert_eq!(Origin::default().display_name(), std::thread::current().name().unwrap());
    }
}
