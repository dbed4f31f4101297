//! Trimming of call stacks to the frames that matter to a reader: without the allocator at the top
//! and the harness at the bottom.

use leakcheck_report::{Class, Frame};

use crate::class::is_entry_point;

/// Removes the allocator's frames at the top and the harness's at the bottom.
///
/// A frame of the test's body that the optimizer has left without a name is named after `body`.
pub fn trim(mut frames: Vec<Frame>, body: Option<&Frame>) -> Vec<Frame> {
    let runner = frames.iter().position(runs_body);
    let inlined_body = runner.zip(body).map(|(runner, body)| {
        let Frame { module, offset, line, .. } = &frames[runner];
        let mut inlined = body.clone();
        (inlined.module, inlined.offset) = (module.clone(), *offset);
        (line.is_none(), inlined)
    });
    let end = match frames.iter().rposition(is_program_code) {
        // Frames of the standard library between the body and the harness are removed with it.
        Some(last) if frames[last..].iter().any(is_harness) => last + 1,
        Some(_) => frames.len(),
        None => runner.unwrap_or(frames.len()),
    };
    frames.truncate(end);
    let mut frames = without_harness(frames);
    let is_program_code = frames.iter().any(is_program_code);
    let outermost = frames.iter_mut().rfind(|frame| frame.class == Class::User);
    match (outermost, inlined_body) {
        (Some(outermost), _) if is_anonymous(outermost) => {
            outermost.function = body.and_then(|body| body.function.clone());
        }
        // Without debug information, an inlined body has no frame.
        (Some(outermost), Some((true, body))) if !is_part_of(outermost, &body) => frames.push(body),
        (None, Some((_, body))) if !is_program_code => frames.push(body),
        _ => {}
    }
    frames
}

/// Removes the frames of the harness, and those in which the standard library calls the allocator.
pub fn without_harness(frames: Vec<Frame>) -> Vec<Frame> {
    let mut kept = Vec::with_capacity(frames.len());
    let mut trimming = Trimming::default();
    for frame in frames {
        match trimming.next(Part::of(&frame)) {
            Step::Drop => {}
            Step::Keep => kept.push(frame),
            Step::KeepFromHere => {
                kept.clear();
                kept.push(frame);
            }
        }
    }
    kept
}

/// The part that a frame plays in a call stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The harness, between an allocation and the ledger.
    Allocator,
    /// The harness elsewhere.
    Harness,
    /// Code of the user or of a dependency.
    Program,
    /// Other code, such as the standard library's.
    Library,
}

impl Part {
    /// The part of a frame.
    pub fn of(frame: &Frame) -> Self {
        if is_harness(frame) {
            if is_allocator(frame) { Self::Allocator } else { Self::Harness }
        } else if is_program_code(frame) {
            Self::Program
        } else {
            Self::Library
        }
    }
}

/// What [`without_harness`] does with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Drop,
    Keep,
    /// Keep this frame and drop all before it.
    KeepFromHere,
}

/// The state of [`without_harness`] within a call stack, whose frames it takes one by one, innermost
/// first.
#[derive(Debug, Default)]
pub struct Trimming {
    /// Whether frames of the allocator precede the next frame. If only the harness follows, they
    /// are the start of the thread.
    after_allocator: bool,
    in_program: bool,
}

impl Trimming {
    /// Whether a frame of the program was among the frames so far.
    #[inline(always)]
    pub fn is_in_program(&self) -> bool {
        self.in_program
    }

    /// Decides on the next frame.
    pub fn next(&mut self, part: Part) -> Step {
        match part {
            Part::Allocator | Part::Harness => {
                self.after_allocator |= part == Part::Allocator && !self.in_program;
                Step::Drop
            }
            Part::Program | Part::Library => {
                self.in_program |= part == Part::Program;
                if std::mem::take(&mut self.after_allocator) {
                    Step::KeepFromHere
                } else {
                    Step::Keep
                }
            }
        }
    }
}

/// Which functions around a test or a thread's closure are on a stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    runs_test: bool,
    calls_test: bool,
    starts_thread: bool,
    calls_closure: bool,
}

impl Surroundings {
    /// Those that a frame is.
    pub fn of(frame: &Frame) -> Self {
        let name = frame.function.as_deref().unwrap_or_default();
        Self {
            runs_test: name.contains("test::run_test"),
            calls_test: name.starts_with("test::__rust_begin_short_backtrace"),
            starts_thread: name.contains("::thread_start"),
            calls_closure: name.contains("__rust_begin_short_backtrace"),
        }
    }

    /// Those of two parts of a stack.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            runs_test: self.runs_test || other.runs_test,
            calls_test: self.calls_test || other.calls_test,
            starts_thread: self.starts_thread || other.starts_thread,
            calls_closure: self.calls_closure || other.calls_closure,
        }
    }

    /// Whether a stack, which must start at the first frame of its thread, belongs to what libtest
    /// and the standard library do before and after a test or a thread's closure.
    ///
    /// Both call those through `__rust_begin_short_backtrace`, which is never inlined. Without
    /// names, the answer is `false`.
    pub fn is_of_test(self) -> bool {
        if self.runs_test { !self.calls_test } else { self.starts_thread && !self.calls_closure }
    }
}

fn is_harness(frame: &Frame) -> bool {
    frame.class == Class::Harness
}

/// Whether a frame is between an allocation and the ledger. The harness also calls panic hooks,
/// which may allocate.
fn is_allocator(frame: &Frame) -> bool {
    let name = frame.function.as_deref().unwrap_or_default();
    is_harness(frame)
        && !name.starts_with("test::")
        && !name.contains("suite::note_panics")
        && !name.ends_with("rust_begin_unwind")
        && !is_entry_point(name)
}

/// Whether a frame is code of the user or of a dependency.
fn is_program_code(frame: &Frame) -> bool {
    matches!(frame.class, Class::User | Class::Dependency)
}

/// Whether a frame calls a body, which may be inlined into it.
fn runs_body(frame: &Frame) -> bool {
    is_harness(frame) && frame.function.as_ref().is_some_and(|name| name.contains("run_body"))
}

/// Whether a frame is a function or one of its closures.
fn is_part_of(frame: &Frame, function: &Frame) -> bool {
    let (name, part_of) = (frame.function.as_deref(), function.function.as_deref());
    name.zip(part_of).is_some_and(|(name, part_of)| name.contains(part_of))
}

/// Whether the debug information names a frame only as a closure.
fn is_anonymous(frame: &Frame) -> bool {
    frame.function.as_ref().is_some_and(|name| name.starts_with('{'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_trim(frames: &[(&str, Class)], expected: &[&str]) {
        let body = Frame::of_function("app::test", Class::User);
        let trimmed = trim(stack(frames), Some(&body));
        let names: Vec<&str> =
            trimmed.iter().filter_map(|frame| frame.function.as_deref()).collect();
        assert_eq!(names, expected);
    }

    fn stack(functions: &[(&str, Class)]) -> Vec<Frame> {
        functions.iter().map(|&(function, class)| Frame::of_function(function, class)).collect()
    }

    const ALLOCATOR: [(&str, Class); 2] =
        [("std::thread::LocalKey::with", Class::Std), ("__rustc::__rust_alloc", Class::Harness)];

    #[test]
    fn allocator_and_harness_are_cut_off() {
        let rest = [
            ("alloc::vec::Vec::push", Class::Std),
            ("app::insert", Class::User),
            ("app::test::{{closure}}", Class::User),
            ("core::ops::function::FnOnce::call_once", Class::Std),
            ("leakcheck::region::run_body", Class::Harness),
        ];
        let expected = ["alloc::vec::Vec::push", "app::insert", "app::test::{{closure}}"];
        check_trim(&[&ALLOCATOR[..], &rest].concat(), &expected);
    }

    #[test]
    fn the_way_through_a_panics_hook_is_kept() {
        let rest = [
            ("std::panicking::default_hook", Class::Std),
            ("test::test_main::{{closure}}", Class::Harness),
            ("__rustc::rust_begin_unwind", Class::Harness),
            ("core::panicking::panic_fmt", Class::Std),
            ("app::test", Class::User),
            ("leakcheck::region::run_body", Class::Harness),
        ];
        let expected = ["std::panicking::default_hook", "core::panicking::panic_fmt", "app::test"];
        check_trim(&[&ALLOCATOR[..], &rest].concat(), &expected);
    }

    #[test]
    fn a_body_that_was_inlined_keeps_its_name() {
        let rest = [
            ("alloc::vec::Vec::push", Class::Std),
            ("leakcheck::region::run_body", Class::Harness),
        ];
        check_trim(&[&ALLOCATOR[..], &rest].concat(), &["alloc::vec::Vec::push", "app::test"]);
        let rest = [("{closure#0}", Class::User), ("run_body<()>", Class::Harness)];
        check_trim(&[&ALLOCATOR[..], &rest].concat(), &["app::test"]);
    }

    #[test]
    fn a_threads_closure_without_a_name_has_that_of_its_test() {
        let rest = [("alloc::vec::Vec::push", Class::Std), ("{closure#0}", Class::User)];
        check_trim(&[&ALLOCATOR[..], &rest].concat(), &["alloc::vec::Vec::push", "app::test"]);
    }

    #[test]
    fn a_body_that_was_inlined_is_below_what_it_called() {
        let rest = [
            ("alloc::vec::Vec::push", Class::Std),
            ("app::insert", Class::User),
            ("leakcheck::region::run_body", Class::Harness),
        ];
        let expected = ["alloc::vec::Vec::push", "app::insert", "app::test"];
        check_trim(&[&ALLOCATOR[..], &rest].concat(), &expected);
    }

    #[test]
    fn a_thread_that_is_not_followed_keeps_the_librarys_code_too() {
        let rest = [
            ("std::sys::thread_start", Class::Std),
            ("start_thread", Class::Harness),
            ("clone3", Class::Harness),
            ("", Class::System),
        ];
        check_trim(&[&ALLOCATOR[..], &rest].concat(), &["std::sys::thread_start", ""]);
    }

    #[test]
    fn a_thread_without_code_of_the_users_keeps_the_librarys() {
        let rest = [
            ("std::thread::set_name", Class::Std),
            ("leakcheck::thread::spawn::begin", Class::Harness),
        ];
        check_trim(&[&ALLOCATOR[..], &rest].concat(), &["std::thread::set_name"]);
    }
}
