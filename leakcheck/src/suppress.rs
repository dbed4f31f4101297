//! Suppressions: known noise that is excluded from the verdict and listed in the report.

pub(crate) mod facts;

use std::path::Path;

use leakcheck_report::pattern::Template;

use crate::error::Error;
use crate::report::{Class, Frame};

/// A rule for memory that the program is not responsible for.
#[derive(Clone, Debug)]
pub(crate) struct Suppression {
    pattern: Template,
    /// What it is for; none for a rule of a user's file.
    why: Option<&'static str>,
    reach: Reach,
}

/// Which frames of a call stack a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// The standard library's own frames at the leaf. What a user's function allocates that the library
    /// calls back is not the library's noise.
    Leaf,
    /// The same, and what the library's writers allocate for a user's `Display` or `Debug` that they
    /// call back.
    Output,
    /// All frames.
    Stack,
}

/// A rule that applies by default. Builds with line tables only have lost the paths of inlined
/// functions, so a rule also matches source files.
struct BuiltIn {
    templates: &'static [&'static str],
    why: &'static str,
    reach: Reach,
}

/// What the standard library keeps after its first use, and what runtimes keep for each thread.
const BUILT_IN: [BuiltIn; 9] = [
    // A printed backtrace keeps the debug information that it has read. Before the rules of what
    // prints it.
    BuiltIn {
        templates: &[
            "^std::backtrace_rs::symbolize::",
            "^std::sys::backtrace::_print",
            "^std::sys::backtrace::BacktraceLock",
            "^library/*backtrace/src/symbolize/",
        ],
        why: "debug information kept for backtraces",
        reach: Reach::Leaf,
    },
    // libtest keeps the output of a test until the test is over, in a buffer that grows by
    // doubling. The buffers of stdin and stdout are made when they are first used and stay.
    BuiltIn {
        templates: &["^std::io::stdio::", "^library/std/src/io/stdio.rs$"],
        why: "output captured by libtest, buffers of the standard streams",
        reach: Reach::Output,
    },
    // A panic's message goes its own way into the same buffer, and its backtrace keeps the debug
    // information that it has read. The hook calls nothing of the user's.
    BuiltIn {
        templates: &["^std::panicking::default_hook"],
        why: "a panic's message, captured by libtest, and what its backtrace keeps",
        reach: Reach::Stack,
    },
    // All threads of the standard library are in one table: whoever starts or ends the twelfth
    // thread makes or frees a node of it.
    BuiltIn {
        templates: &[
            "^std::sys::pal::unix::stack_overflow::",
            "^library/std/src/sys/pal/unix/stack_overflow",
        ],
        why: "the standard library's table of thread stacks",
        reach: Reach::Leaf,
    },
    // It has a copy of the thread's name, made through an `FnOnce` of the library's own.
    BuiltIn {
        templates: &[
            "^std::sys::pal::unix::stack_overflow::thread_info::",
            "^library/std/src/sys/pal/unix/stack_overflow/thread_info.rs$",
        ],
        why: "the standard library's table of thread stacks",
        reach: Reach::Stack,
    },
    // A thread's handle is made when the thread first asks for itself, and freed when it ends.
    BuiltIn {
        templates: &["^std::thread::current::", "^library/std/src/thread/current.rs$"],
        why: "a thread's handle of itself",
        reach: Reach::Leaf,
    },
    // The parking place of a thread that blocked in a channel, freed when the thread ends.
    BuiltIn {
        templates: &["std::sync::mpmc::context::Context", "^library/std/src/sync/mpmc/context.rs$"],
        why: "a thread's place in channels",
        reach: Reach::Leaf,
    },
    // The list of thread-local destructors, where the platform has none of its own.
    BuiltIn {
        templates: &["^std::sys::thread_local::destructors::"],
        why: "the list of thread-local destructors",
        reach: Reach::Leaf,
    },
    // What `thread_local!` expands its initialiser to, on the stack only while it runs. A test's
    // thread ends right after the verdict.
    BuiltIn {
        templates: &["__rust_std_internal_init_fn"],
        why: "a thread-local's first value, freed when its thread ends",
        reach: Reach::Stack,
    },
];

/// Functions of the standard library that call the user's code, which an optimizer may have inlined
/// into them.
const HANDS_OVER: [&str; 9] = [
    "__rust_begin_short_backtrace",
    "__rust_end_short_backtrace",
    "ops::function::Fn",
    "catch_unwind",
    "LocalKey",
    "::get_or_init",
    "::initialize",
    "::call_once",
    // A backtrace that somebody asked for is theirs.
    "std::backtrace::",
];

/// The rules that apply by default.
pub(crate) fn built_in() -> impl Iterator<Item = Suppression> {
    BUILT_IN.iter().flat_map(|rule| {
        rule.templates.iter().map(|template| Suppression {
            pattern: Template::new(*template),
            why: Some(rule.why),
            reach: rule.reach,
        })
    })
}

/// The rules of a file in LeakSanitizer's format: `leak:pattern` on each line, `#` before a
/// comment.
///
/// # Errors
///
/// When the file cannot be read or a line is something else.
pub(crate) fn from_file(path: &Path) -> Result<Vec<Suppression>, Error> {
    let named = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::suppressions(&named, format!("which cannot be read: {error}")))?;
    parse(&text).map_err(|problem| Error::suppressions(named, problem))
}

fn parse(text: &str) -> Result<Vec<Suppression>, String> {
    let rules = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    rules
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| match line.strip_prefix("leak:").map(str::trim) {
            Some(template) if !template.is_empty() => {
                Ok(Suppression { pattern: Template::new(template), why: None, reach: Reach::Stack })
            }
            _ => Err(format!(
                "whose line {number} is `{line}`, expected `leak:pattern` or `# comment`"
            )),
        })
        .collect()
}

impl Suppression {
    /// The rule as it was written.
    pub(crate) fn rule(&self) -> &str {
        self.pattern.text()
    }

    pub(crate) fn why(&self) -> Option<&'static str> {
        self.why
    }

    /// What libtest and the standard library allocate around a test on its thread.
    pub(crate) fn around_tests() -> Self {
        Self {
            pattern: Template::new("test::run_test"),
            why: Some("libtest's and the standard library's, around the test"),
            reach: Reach::Stack,
        }
    }

    fn names(&self, frame: &Frame) -> bool {
        #[cfg(test)]
        EVALUATIONS.with(|evaluations| evaluations.set(evaluations.get() + 1));
        let places = [&frame.function, &frame.file, &frame.module];
        places.into_iter().flatten().any(|place| self.pattern.matches(place))
    }
}

/// Whether a frame is the standard library's own.
fn is_own(frame: &Frame) -> bool {
    let hands_over = |name: &String| HANDS_OVER.iter().any(|part| name.contains(part));
    matches!(frame.class, Class::Std | Class::System)
        && !frame.function.as_ref().is_some_and(hands_over)
}

#[cfg(test)]
thread_local! {
    /// How many times this thread has evaluated a rule for a frame.
    pub(crate) static EVALUATIONS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use super::facts::{AddressFacts, StackFacts};
    use super::*;

    fn stack(functions: &[(&str, Class)]) -> Vec<Frame> {
        functions.iter().map(|&(function, class)| Frame::of_function(function, class)).collect()
    }

    /// Returns the index of the first rule that covers a stack in which each frame has an address
    /// of its own.
    fn covering(rules: &[Suppression], frames: &[Frame]) -> Option<usize> {
        let mut facts = StackFacts::new();
        frames.chunks(1).for_each(|frames| facts.add(&AddressFacts::of(frames, rules)));
        let mut at_one_address = StackFacts::new();
        at_one_address.add(&AddressFacts::of(frames, rules));
        assert_eq!(facts.rule(), at_one_address.rule());
        facts.rule()
    }

    fn is_built_in_noise(functions: &[(&str, Class)]) -> bool {
        covering(&built_in().collect::<Vec<_>>(), &stack(functions)).is_some()
    }

    #[test]
    fn captured_output_is_noise() {
        assert!(is_built_in_noise(&[
            ("alloc::raw_vec::RawVecInner<A>::reserve", Class::Std),
            ("std::io::stdio::print_to_buffer_if_capture_used", Class::Std),
            ("std::io::stdio::_print", Class::Std),
            ("app::tests::prints", Class::User),
        ]));
    }

    #[test]
    fn what_a_user_allocates_while_printing_is_not() {
        assert!(!is_built_in_noise(&[
            ("alloc::vec::Vec<T,A>::push", Class::Std),
            ("<app::Leaky as core::fmt::Display>::fmt", Class::User),
            ("std::io::stdio::_print", Class::Std),
            ("app::tests::prints", Class::User),
        ]));
    }

    #[test]
    fn what_is_captured_of_a_users_debug_output_is() {
        let printed = |writer| {
            is_built_in_noise(&[
                ("alloc::raw_vec::RawVec<T,A>::grow_amortized", Class::Std),
                (writer, Class::Std),
                ("core::fmt::builders::DebugMap::entries", Class::Std),
                ("<app::Map as core::fmt::Debug>::fmt", Class::User),
                ("std::io::stdio::print_to_buffer_if_capture_used", Class::Std),
                ("app::tests::prints", Class::User),
            ])
        };
        assert!(printed("<std::io::default_write_fmt::Adapter<T> as core::fmt::Write>::write_str"));
        assert!(!printed("<alloc::string::String as core::fmt::Write>::write_str"));
        let own = [
            ("<std::io::default_write_fmt::Adapter<T> as core::fmt::Write>::write_str", Class::Std),
            ("std::io::default_write_fmt", Class::Std),
            ("<app::Map as core::fmt::Debug>::fmt", Class::User),
            ("std::io::stdio::_print", Class::Std),
        ];
        assert!(!is_built_in_noise(&own), "a writer of the user's own");
    }

    #[test]
    fn the_first_value_of_a_thread_local_is() {
        assert!(is_built_in_noise(&[
            ("alloc::sync::Arc<T>::new", Class::Std),
            (
                "tokio::runtime::park::CURRENT_PARKER::__rust_std_internal_init_fn",
                Class::Dependency
            ),
            ("app::tests::waits", Class::User),
        ]));
    }

    #[test]
    fn what_a_thread_allocates_by_itself_is_not() {
        // As an optimiser leaves it: the user's closure has no frame of its own.
        assert!(!is_built_in_noise(&[
            ("std::sys::backtrace::__rust_begin_short_backtrace", Class::Std),
            ("core::ops::function::FnOnce::call_once{{vtable.shim}}", Class::Std),
            ("std::sys::pal::unix::stack_overflow::imp::make_handler", Class::Std),
        ]));
    }

    #[test]
    fn a_backtrace_that_was_asked_for_is_not() {
        assert!(!is_built_in_noise(&[
            ("alloc::vec::Vec<T,A>::push", Class::Std),
            ("std::backtrace::Backtrace::create::{{closure}}", Class::Std),
            ("std::backtrace_rs::symbolize::resolve", Class::Std),
            ("app::tests::keeps_an_error", Class::User),
        ]));
    }

    #[test]
    fn the_table_of_thread_stacks_is() {
        assert!(is_built_in_noise(&[
            ("alloc::collections::btree::map::BTreeMap<K,V,A>::insert", Class::Std),
            ("std::sys::pal::unix::stack_overflow::thread_info::set_current_info", Class::Std),
        ]));
        let name =
            "std::sys::pal::unix::stack_overflow::thread_info::set_current_info::{closure#0}";
        assert!(is_built_in_noise(&[
            ("<alloc::boxed::Box<str>>::clone_from_ref", Class::Std),
            (
                "<<Box<str> as From<&str>>::from as core::ops::function::FnOnce<()>>::call_once",
                Class::Std
            ),
            (name, Class::Std),
            ("std::sys::pal::unix::stack_overflow::imp::make_handler", Class::Std),
        ]));
    }

    #[test]
    fn a_file_names_functions_anywhere_in_the_stack() {
        let rules =
            parse("# the legacy cache\nleak:app::legacy\n\n  leak:*third_party/*\n").unwrap();
        assert_eq!(rules.len(), 2);
        let frames = stack(&[
            ("alloc::alloc::alloc", Class::Std),
            ("app::legacy::Cache::load", Class::User),
        ]);
        assert_eq!(covering(&rules, &frames), Some(0));
        assert_eq!(covering(&rules[1..], &frames), None);
    }

    #[test]
    fn a_line_that_is_no_rule_is_named() {
        let problem = parse("leak:ok\nrace:other").unwrap_err();
        assert_eq!(problem, "whose line 2 is `race:other`, expected `leak:pattern` or `# comment`");
        assert!(parse("leak:").is_err());
    }
}
