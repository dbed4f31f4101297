//! Known noise, left out of the verdict and listed in the report.

use std::path::Path;

use crate::error::Error;
use crate::pattern::Pattern;
use crate::stack::frame::{Class, Frame};

/// A rule that names memory which is not the program's fault.
#[derive(Clone, Debug)]
pub(crate) struct Suppression {
    pattern: Pattern,
    why: &'static str,
    reach: Reach,
}

/// Which frames of a call stack a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Those of the standard library in which the block was allocated: what a user's function
    /// allocates, called back from there, is not the library's noise.
    Leaf,
    /// All.
    Stack,
}

/// What the standard library keeps once it was used, by function and reason.
const BUILT_IN: [(&str, &str); 7] = [
    // libtest keeps the output of a test until the test is over, in a buffer that grows by
    // doubling. The buffers of stdin and stdout are made when they are first used and stay.
    ("^std::io::stdio::", "output captured by libtest, buffers of the standard streams"),
    // A panic's message goes through its own way into the same buffer.
    ("^std::panicking::default_hook", "output captured by libtest"),
    // A backtrace keeps the debug information that it has read.
    ("^std::backtrace_rs::", "debug information kept for backtraces"),
    ("^std::sys::backtrace::", "debug information kept for backtraces"),
    // A thread's handle is made when the thread first asks for itself, and freed when it ends.
    ("^std::thread::current::", "a thread's handle of itself"),
    // The parking place of a thread that blocked in a channel, freed when the thread ends.
    ("^std::sync::mpmc::context::Context::new", "a thread's place in channels"),
    // The list of thread-local destructors, where the platform has none of its own.
    ("^std::sys::thread_local::", "thread-local storage"),
];

/// The rules that hold by default.
pub(crate) fn built_in() -> impl Iterator<Item = Suppression> {
    BUILT_IN.iter().map(|&(template, why)| Suppression {
        pattern: Pattern::template(template),
        why,
        reach: Reach::Leaf,
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
            Some(template) if !template.is_empty() => Ok(Suppression {
                pattern: Pattern::template(template),
                why: "LEAK_SUPPRESSIONS",
                reach: Reach::Stack,
            }),
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

    pub(crate) fn why(&self) -> &'static str {
        self.why
    }

    /// Whether the rule speaks of a block with this call stack, leaf first.
    pub(crate) fn covers(&self, frames: &[Frame]) -> bool {
        match self.reach {
            Reach::Stack => frames.iter().any(|frame| self.names(frame)),
            Reach::Leaf => frames
                .iter()
                .take_while(|frame| {
                    matches!(frame.class, Class::Std | Class::Harness | Class::System)
                })
                .any(|frame| self.names(frame)),
        }
    }

    fn names(&self, frame: &Frame) -> bool {
        let places = [&frame.function, &frame.file, &frame.module];
        places.into_iter().flatten().any(|place| self.pattern.matches(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(functions: &[(&str, Class)]) -> Vec<Frame> {
        let frame = |&(function, class): &(&str, Class)| Frame {
            function: Some(function.to_owned()),
            class,
            ..Frame::default()
        };
        functions.iter().map(frame).collect()
    }

    fn is_built_in_noise(functions: &[(&str, Class)]) -> bool {
        built_in().any(|rule| rule.covers(&stack(functions)))
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
    fn a_file_names_functions_anywhere_in_the_stack() {
        let rules =
            parse("# the legacy cache\nleak:app::legacy\n\n  leak:*third_party/*\n").unwrap();
        assert_eq!(rules.len(), 2);
        let frames = stack(&[
            ("alloc::alloc::alloc", Class::Std),
            ("app::legacy::Cache::load", Class::User),
        ]);
        assert!(rules[0].covers(&frames) && !rules[1].covers(&frames));
    }

    #[test]
    fn a_line_that_is_no_rule_is_named() {
        let problem = parse("leak:ok\nrace:other").unwrap_err();
        assert_eq!(problem, "whose line 2 is `race:other`, expected `leak:pattern` or `# comment`");
        assert!(parse("leak:").is_err());
    }
}
