//! A frame of a call stack with its names.

use std::borrow::Cow;

use serde::Serialize;

/// One function of a call stack; several share an address where calls were inlined.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[non_exhaustive]
pub struct Frame {
    /// The function's path, `None` where the program has no symbol for it.
    pub function: Option<String>,
    /// The source file: relative to the workspace for its own code, from the package on
    /// (`lru-0.6.2/src/lib.rs`) for dependencies. `None` without debug information.
    pub file: Option<String>,
    /// The line in the source file, counted from 1.
    pub line: Option<u32>,
    /// The file name of the program or library that contains the code, for frames without a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// Where in that module, in bytes from its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Whose code it is.
    pub class: Class,
}

/// Whose code a frame is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "command", derive(serde::Deserialize))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Class {
    /// The user's workspace.
    User,
    /// A package from a registry, a repository or a vendor directory.
    Dependency,
    /// Rust's standard library.
    Std,
    /// leakcheck and the test harness.
    Harness,
    /// The C library and code without names.
    #[default]
    System,
}

impl Frame {
    /// A function of that class.
    pub fn of_function(function: impl Into<String>, class: Class) -> Self {
        Self { function: Some(function.into()), class, ..Self::default() }
    }

    /// With a place in the sources.
    #[must_use]
    pub fn at(self, file: impl Into<String>, line: u32) -> Self {
        Self { file: Some(file.into()), line: Some(line), ..self }
    }

    /// Code without a name, at an offset in a module.
    pub fn of_address(module: impl Into<String>, offset: u64) -> Self {
        Self { module: Some(module.into()), offset: Some(offset), ..Self::default() }
    }

    /// The function, or the place in the program where it has no name.
    pub fn name(&self) -> Cow<'_, str> {
        match (&self.function, &self.module, self.offset) {
            (Some(function), ..) => function.into(),
            (None, Some(module), Some(offset)) => format!("{module} + {offset:#x}").into(),
            _ => "unknown".into(),
        }
    }

    /// The [name](Self::name) without the closures at its end: an attribute's expansion makes one,
    /// and the line distinguishes the others.
    pub fn short_name(&self) -> Cow<'_, str> {
        let mut name = self.name();
        while let Some((outer, inner)) = name.rsplit_once("::") {
            if !(inner.starts_with('{') && inner.ends_with('}')) {
                break;
            }
            let length = outer.len();
            name = match name {
                Cow::Borrowed(name) => name[..length].into(),
                Cow::Owned(mut name) => {
                    name.truncate(length);
                    name.into()
                }
            };
        }
        name
    }

    /// `file:line`, or the place in the program where the line is not known.
    pub fn place(&self) -> Option<String> {
        match (&self.file, self.line, &self.module, self.offset) {
            (Some(file), Some(line), ..) => Some(format!("{file}:{line}")),
            (Some(file), None, ..) => Some(file.clone()),
            (None, _, Some(module), Some(offset)) if self.function.is_some() => {
                Some(format!("{module} + {offset:#x}"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_without_a_name_says_where_it_is() {
        let frame = Frame::of_address("app-1f", 0x1234);
        assert_eq!(frame.name(), "app-1f + 0x1234");
        assert_eq!(frame.place(), None);
    }

    #[test]
    fn a_short_name_has_no_closures_at_its_end() {
        let short = |name: &str| Frame::of_function(name, Class::User).short_name().into_owned();
        assert_eq!(short("app::run::{closure}::{closure#1}"), "app::run");
        assert_eq!(short("app::run::{closure}::inner"), "app::run::{closure}::inner");
        assert_eq!(short("{closure}"), "{closure}");
    }
}
