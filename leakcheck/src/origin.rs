//! Where a check is in the user's project.

use std::borrow::Cow;
use std::panic::Location;

/// What the compiler knows about the location of a check. Without the attribute, only a name may be
/// known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    pub(crate) name: Option<Cow<'static, str>>,
    /// The module and the name of the function that the attribute is on.
    function: Option<(&'static str, &'static str)>,
    pub(crate) package: Option<&'static str>,
    pub(crate) binary: Option<&'static str>,
    pub(crate) integration: bool,
    pub(crate) file: Option<&'static str>,
    pub(crate) line: Option<u32>,
}

/// The name of the main thread. Where libtest runs a test on it, the thread does not name the check.
const NO_NAME: &str = "main";

impl Origin {
    /// Of a function with the attribute; `module` is its `module_path!()`.
    ///
    /// It allocates nothing, because that would count for an enclosing check.
    pub fn of_function(module: &'static str, function: &'static str) -> Self {
        Self { function: Some((module, function)), ..Self::default() }
    }

    /// Of a test that libtest named, in the crate of `module`.
    pub fn of_test(module: &'static str, name: String) -> Self {
        Self { name: Some(name.into()), function: Some((module, "")), ..Self::default() }
    }

    /// Whether this is the check of a function with the attribute.
    #[cfg(interposed)]
    pub(crate) fn is_of_attribute(&self) -> bool {
        self.function.is_some() && self.name.is_none()
    }

    /// The target, as cargo describes it at compile time: package, program, and whether it is an
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

    /// The source location of the check.
    pub(crate) fn at(mut self, place: &Location<'static>) -> Self {
        self.file.get_or_insert(place.file());
        self.line.get_or_insert(place.line());
        self
    }

    /// The crate of the function with the attribute.
    pub(crate) fn krate(&self) -> Option<&'static str> {
        self.function.map(|(module, _)| module.split("::").next().unwrap_or(module))
    }

    /// The name of the check in reports: the given one, else that of the thread, else its source
    /// location.
    pub(crate) fn display_name(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone().into_owned();
        }
        if let Some((module, function)) = self.function {
            return match module.split_once("::") {
                Some((_, path)) => format!("{path}::{function}"),
                None => function.to_owned(),
            };
        }
        let thread = std::thread::current();
        match (thread.name().filter(|name| *name != NO_NAME), self.file, self.line) {
            (Some(name), ..) => name.to_owned(),
            (None, Some(file), Some(line)) => format!("{file}:{line}"),
            _ => "unnamed".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_named_as_libtest_names_it() {
        let name = |module, function| Origin::of_function(module, function).display_name();
        assert_eq!(name("app::cache::tests", "evicts"), "cache::tests::evicts");
        assert_eq!(name("api", "serves"), "serves");
    }

    #[test]
    fn without_a_name_the_thread_gives_it() {
        assert_eq!(Origin::default().display_name(), std::thread::current().name().unwrap());
    }

    #[test]
    fn where_no_thread_gives_a_name_the_place_does() {
        let place = Location::caller();
        let name = std::thread::spawn(|| Origin::default().at(place).display_name());
        assert_eq!(name.join().unwrap(), format!("{}:{}", place.file(), place.line()));
    }
}
