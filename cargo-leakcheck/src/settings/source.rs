//! Where settings come from.

use std::fmt;

use leakcheck_report::LimitSource;

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SettingSource {
    /// A flag of the command line.
    Flag(&'static str),
    /// A variable in the environment of this process.
    Variable(String),
    /// A variable in `[env]` of cargo's configuration.
    CargoConfig { file: String, variable: String },
    /// `[workspace.metadata.leakcheck]`.
    Manifest(Place),
    /// The built-in default.
    Default,
}

/// A place in `[workspace.metadata.leakcheck]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A key of the table.
    Key(&'static str),
    /// A key of a table in it.
    KeyOf { table: &'static str, key: &'static str },
    /// A table in it.
    Table(&'static str),
    /// An entry of a list in it, and the name that the entry has, if any.
    Entry { list: &'static str, index: usize, name: Option<String> },
}

impl SettingSource {
    pub(super) fn key(key: &'static str) -> Self {
        Self::Manifest(Place::Key(key))
    }

    /// Whether tests find the setting in their environment without the command.
    pub(crate) fn is_environment(&self) -> bool {
        matches!(self, Self::Variable(_) | Self::CargoConfig { .. })
    }

    /// The source of a limit.
    pub(crate) fn limit(&self) -> LimitSource {
        match self {
            Self::Variable(name) => LimitSource::variable(name),
            other => LimitSource::setting(other.to_string()),
        }
    }
}

impl fmt::Display for SettingSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => f.write_str(name),
            Self::Variable(name) => f.write_str(name),
            Self::CargoConfig { file, variable } => write!(f, "{file} [env] {variable}"),
            Self::Manifest(place) => place.fmt(f),
            Self::Default => f.write_str("default"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const TABLE: &str = "Cargo.toml [workspace.metadata.leakcheck";
        match self {
            Self::Key(key) => write!(f, "{TABLE}] {key}"),
            Self::KeyOf { table, key } => write!(f, "{TABLE}.{table}] {key}"),
            Self::Table(table) => write!(f, "{TABLE}.{table}]"),
            Self::Entry { list, index, name: None } => write!(f, "{TABLE}.{list}][{index}]"),
            Self::Entry { list, index, name: Some(name) } => {
                write!(f, "{TABLE}.{list}][{index}] `{name}`")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_manifest_can_be_found_by_its_text() {
        let text = |place| SettingSource::Manifest(place).to_string();
        assert_eq!(text(Place::Key("top")), "Cargo.toml [workspace.metadata.leakcheck] top");
        assert_eq!(
            text(Place::KeyOf { table: "limits", key: "unit" }),
            "Cargo.toml [workspace.metadata.leakcheck.limits] unit"
        );
        assert_eq!(
            text(Place::Table("tolerance")),
            "Cargo.toml [workspace.metadata.leakcheck.tolerance]"
        );
        assert_eq!(
            text(Place::Entry { list: "tests", index: 1, name: Some("a::*".to_owned()) }),
            "Cargo.toml [workspace.metadata.leakcheck.tests][1] `a::*`"
        );
    }
}
