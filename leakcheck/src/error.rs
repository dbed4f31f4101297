//! What keeps a check from being made.

use std::fmt;

use leakcheck_report::{Figure, Limit, NotJudged, UnjudgedLimit};

/// Why a check could not be made.
///
/// A blind check must fail, so checks panic with this message.
#[derive(Debug)]
pub(crate) struct Error {
    kind: ErrorKind,
}

#[derive(Debug)]
enum ErrorKind {
    NotInstalled,
    PassThrough,
    NestedProcessScope,
    NoMemory,
    Unseen { figure: Figure, limit: Limit, needs: &'static str },
    NotRepeatable,
    Setting { variable: &'static str, value: String, expected: &'static str },
    Suppressions { path: String, problem: String },
}

impl Error {
    pub(crate) fn not_installed() -> Self {
        ErrorKind::NotInstalled.into()
    }

    pub(crate) fn pass_through() -> Self {
        ErrorKind::PassThrough.into()
    }

    pub(crate) fn nested_process_scope() -> Self {
        ErrorKind::NestedProcessScope.into()
    }

    pub(crate) fn no_memory() -> Self {
        ErrorKind::NoMemory.into()
    }

    /// There is a limit for a figure that this build can never know.
    pub(crate) fn unseen(figure: Figure, limit: &Limit, needs: &'static str) -> Self {
        ErrorKind::Unseen { figure, limit: limit.clone(), needs }.into()
    }

    pub(crate) fn not_repeatable() -> Self {
        ErrorKind::NotRepeatable.into()
    }

    pub(crate) fn setting(
        variable: &'static str,
        value: impl Into<String>,
        expected: &'static str,
    ) -> Self {
        ErrorKind::Setting { variable, value: value.into(), expected }.into()
    }

    pub(crate) fn suppressions(path: impl Into<String>, problem: impl Into<String>) -> Self {
        ErrorKind::Suppressions { path: path.into(), problem: problem.into() }.into()
    }

    /// Whether Miri or a sanitizer watches memory instead.
    pub(crate) fn is_pass_through(&self) -> bool {
        matches!(self.kind, ErrorKind::PassThrough)
    }

    /// The reason why a check is not judged, for its report.
    pub(crate) fn reason(&self) -> NotJudged {
        match &self.kind {
            ErrorKind::NotInstalled => NotJudged::Blind,
            ErrorKind::PassThrough => NotJudged::PassThrough,
            ErrorKind::Setting { .. } | ErrorKind::Suppressions { .. } => {
                NotJudged::Settings { problem: self.to_string() }
            }
            ErrorKind::Unseen { figure, limit, needs } => {
                let limit = UnjudgedLimit::new(*figure, limit.clone(), format!("needs {needs}"));
                NotJudged::Limits { limits: vec![limit] }
            }
            _ => NotJudged::Other { problem: self.to_string() },
        }
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self { kind }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ErrorKind::NotInstalled => f.write_str(
                "the counting allocator is not installed, so no leak could be seen\n\n  \
                 Turn the default feature `install` of leakcheck on, or, where the program has an allocator of its \
                 own, wrap it:\n\n      \
                 #[global_allocator]\n      \
                 static ALLOC: leakcheck::Alloc<YourAllocator> = leakcheck::Alloc::new(YourAllocator);\n\n  \
                 or write `leakcheck::install!();` for the system's allocator.",
            ),
            ErrorKind::PassThrough => f.write_str("Miri or a sanitizer watches the memory of this build"),
            ErrorKind::NestedProcessScope => f.write_str(
                "a check of process scope cannot start inside another check: it must run alone. Use \
                 `scope = \"test\"` for the inner one",
            ),
            ErrorKind::NoMemory => f.write_str("there is no memory left to keep the figures of another region"),
            ErrorKind::Unseen { limit, needs, .. } => {
                write!(f, "`{}` needs {needs}; remove it", limit.source)
            }
            ErrorKind::NotRepeatable => f.write_str(
                "`iterations` and `warmup` need a body that can be called again, and this one is called once: use \
                 `check_repeated` or the attribute",
            ),
            ErrorKind::Setting { variable, value, expected } => {
                write!(f, "`{variable}` is `{value}`, expected {expected}")
            }
            ErrorKind::Suppressions { path, problem } => {
                write!(f, "`LEAK_SUPPRESSIONS` names `{path}`, {problem}")
            }
        }
    }
}

impl std::error::Error for Error {}
