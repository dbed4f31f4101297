//! Which frames of a call stack a reader has a use for: the allocator on top of it and the harness
//! below it are cut off.

use leakcheck_report::{Class, Frame};

use crate::class::is_entry_point;

/// The stack without the allocator on top of it and the harness below it.
///
/// The frame of the test's body is named after `body` where an optimiser has left it no name.
pub fn trim(mut frames: Vec<Frame>, body: Option<&Frame>) -> Vec<Frame> {
    let runner = frames.iter().position(runs_body);
    let inlined_body = runner.zip(body).map(|(runner, body)| {
        let Frame { module, offset, line, .. } = &frames[runner];
        let mut inlined = body.clone();
        (inlined.module, inlined.offset) = (module.clone(), *offset);
        (line.is_none(), inlined)
    });
    let end = match frames.iter().rposition(is_theirs) {
        // The standard library's frames between the body and the harness go with the harness.
        Some(last) if frames[last..].iter().any(is_harness) => last + 1,
        Some(_) => frames.len(),
        None => runner.unwrap_or(frames.len()),
    };
    frames.truncate(end);
    let mut frames = without_harness(frames);
    let is_theirs = frames.iter().any(is_theirs);
    let outermost = frames.iter_mut().rfind(|frame| frame.class == Class::User);
    match (outermost, inlined_body) {
        (Some(outermost), _) if is_anonymous(outermost) => {
            outermost.function = body.and_then(|body| body.function.clone());
        }
        // Without debug information, what was inlined has left no trace.
        (Some(outermost), Some((true, body))) if !is_part_of(outermost, &body) => frames.push(body),
        (None, Some((_, body))) if !is_theirs => frames.push(body),
        _ => {}
    }
    frames
}

/// The stack without the frames that are the harness's, and without what the standard library does
/// for the allocator on top of it.
pub fn without_harness(mut frames: Vec<Frame>) -> Vec<Frame> {
    // The frame that a followed thread begins with.
    while frames.pop_if(|last| is_harness(last)).is_some() {}
    let first = frames.iter().position(is_theirs).unwrap_or(frames.len());
    let allocator = frames[..first].iter().rposition(is_allocator).map_or(0, |last| last + 1);
    frames.drain(..allocator);
    frames.retain(|frame| !is_harness(frame));
    frames
}

/// Whether a stack, captured from the beginning of its thread on, is of what libtest and the
/// standard library do before and after a test or a thread's closure. Both call those through a
/// function of that name, which is never inlined. Without names, nothing can be told.
pub fn is_around_test(frames: &[Frame]) -> bool {
    let names = || frames.iter().filter_map(|frame| frame.function.as_deref());
    let has = |part: &str| names().any(|name| name.contains(part));
    if has("test::run_test") {
        !names().any(|name| name.starts_with("test::__rust_begin_short_backtrace"))
    } else {
        has("::thread_start") && !has("__rust_begin_short_backtrace")
    }
}

fn is_harness(frame: &Frame) -> bool {
    frame.class == Class::Harness
}

/// Whether this is part of the way from an allocation to the ledger. A panic's hook, which may
/// allocate, is called by the harness too.
fn is_allocator(frame: &Frame) -> bool {
    let name = frame.function.as_deref().unwrap_or_default();
    is_harness(frame)
        && !name.starts_with("test::")
        && !name.contains("suite::note_panics")
        && !name.ends_with("rust_begin_unwind")
        && !is_entry_point(name)
}

/// Code of the user's or of one of their dependencies.
fn is_theirs(frame: &Frame) -> bool {
    matches!(frame.class, Class::User | Class::Dependency)
}

/// Whether this is the frame that calls a body, and may have it inside.
fn runs_body(frame: &Frame) -> bool {
    is_harness(frame) && frame.function.as_ref().is_some_and(|name| name.contains("run_body"))
}

/// Whether this is a function or one of its closures.
fn is_part_of(frame: &Frame, function: &Frame) -> bool {
    let (name, part_of) = (frame.function.as_deref(), function.function.as_deref());
    name.zip(part_of).is_some_and(|(name, part_of)| name.contains(part_of))
}

/// Whether the debug information says no more than that it is a closure.
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
