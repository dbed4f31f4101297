//! A report names the actual frames of every kind of code and stack.
//!
//! The expected frames come from the source, so they are the same for every unwinder.

#![cfg(all(target_os = "linux", target_env = "gnu"))]

use leakcheck_tests::{CallSite, Cargo, Finished, Fixture, Outcome};

/// C functions of the fixture that call back. They are compiled with and without frame pointers.
const FRAMES: [&str; 7] =
    ["plain", "variable_array", "growing", "large", "uninitialised", "aligned", "aligned_variable"];

#[test]
fn frames_of_c_are_unwound_with_and_without_frame_pointers() {
    let run = Fixture::new("stacks", "frames").run().go();
    for flavour in ["slim", "framed"] {
        for frame in FRAMES.iter().chain(&["registers"]) {
            let name = format!("{flavour}_{frame}");
            check_stack(&run, &name, &[&name, &name]);
        }
        let name = |frame: &str| format!("{flavour}_{frame}");
        let (arguments, pushes) = (name("nine_arguments"), name("pushes"));
        check_stack(&run, &pushes, &[&arguments, &pushes, &pushes]);
        // A tail call replaces the frame of its caller.
        let (plain, tail) = (name("plain"), name("tail"));
        check_stack(&run, &tail, &[&plain, &tail]);
    }
}

#[test]
fn the_text_names_frames_of_c() {
    let run = frames("slim_variable_array");
    let said = run.output("slim_variable_array");
    let line = said.lines().find(|line| line.contains("  slim_variable_array  "));
    let place = line.and_then(|line| line.split_whitespace().last());
    assert!(place.is_some_and(|place| place.starts_with("stacks/c/frames.c:")), "{said}");
}

#[test]
fn frames_of_all_kinds_are_unwound_in_one_stack() {
    let test = "through_all_of_them";
    let frames = [
        "further",
        "slim_registers",
        "further",
        "framed_aligned_variable",
        "further",
        "slim_variable_array",
        "further",
        "framed_large",
        "further",
        "slim_nine_arguments",
        "slim_pushes",
        "further",
        "framed_registers",
        "further",
        "slim_aligned_variable",
        "further",
        "framed_aligned",
        "further",
        "slim_large",
        "further",
        "framed_variable_array",
        "further",
        "slim_plain",
        "further",
        test,
    ];
    check_stack(&self::frames(test), test, &frames);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn frames_with_unusual_unwind_rules_are_unwound() {
    let run = Fixture::new("stacks", "frames").run().go();
    for test in ["described", "by_another_register", "by_an_expression", "pointer_in_a_register"] {
        check_stack(&run, test, &[test, test]);
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_stack_ends_at_a_frame_without_unwind_rules() {
    let run = Fixture::new("stacks", "frames").run().go();
    for test in ["outermost", "undescribed", "undescribed_framed"] {
        check_cut(&run, test, &[test], &[test]);
    }
}

#[test]
fn a_call_may_be_the_last_instruction_of_its_function() {
    let test = "through_a_call_that_is_the_last_instruction";
    check_stack(&frames(test), test, &["kept_and_back", "slim_leaves", test, test]);
}

#[test]
fn return_addresses_of_earlier_calls_are_not_frames() {
    let test = "through_memory_that_holds_return_addresses";
    check_stack(&frames(test), test, &["uninitialised", test]);
}

#[test]
fn stacks_that_differ_in_the_middle_are_distinguished() {
    let test = "by_two_ways_in_turns";
    let run = frames(test);
    let mut deep = vec!["framed_deep"; 21];
    for (way, bytes) in [("one_way", 500), ("the_other_way", 150)] {
        let site = site(&run, test, bytes);
        deep.truncate(21);
        deep.extend(["in_common", way, test]);
        assert_eq!(names(site), deep);
    }
}

#[test]
fn both_ends_of_a_deep_recursion_are_kept_and_the_rest_is_counted() {
    let test = "ten_thousand_deep";
    let run = frames(test);
    for (bytes, function, depth) in [(100, "recursive", 5001), (1000, "slim_deep", 10_001)] {
        let site = site(&run, test, bytes);
        let names = names(site);
        assert!(names.starts_with(&[function; 50]), "{names:?}");
        assert_eq!(names.last(), Some(&test));
        let kept = names.iter().filter(|name| **name == function).count() as u64;
        assert_eq!(kept + site.omitted_frames, depth);
    }
    let said = run.output(test);
    assert_eq!(said.matches(" more frames\n").count(), 2, "{said}");
}

#[test]
fn a_deep_recursion_keeps_its_oldest_frames_whatever_they_are() {
    let test = "deep_on_top_of_a_large_frame";
    let run = frames(test);
    let site = site(&run, test, 100);
    let names = names(site);
    let kept = names.iter().take_while(|name| **name == "slim_deep").count() as u64;
    assert_eq!(names[kept as usize..], ["further", "slim_large", test]);
    assert_eq!(kept + site.omitted_frames, 5001);
}

#[test]
fn stacks_of_an_inner_region_end_where_it_began() {
    let test = "in_a_region_inside_another";
    let run = frames(test);
    let [site] = &run.report("inner").call_sites[..] else { panic!("{:#?}", run.report("inner")) };
    assert_eq!(names(site), ["inside"]);
    let outer = run.report(test);
    let around = |bytes| move |site: &&CallSite| site.amount.bytes == bytes;
    for bytes in [1, 2] {
        for site in outer.call_sites.iter().filter(around(bytes)) {
            assert_eq!(names(site), ["outside", "inside", test]);
        }
    }
    assert_eq!(names(self::site(&run, test, 200)), ["inside"]);
    assert_eq!(outer.call_sites.len(), 5, "{outer:#?}");
}

#[test]
fn a_library_loaded_at_run_time_is_unwound() {
    let test = "through_a_library";
    check_stack(&loaded(test), test, &["first_inner", "first_visit", "call", test]);
}

#[test]
fn an_unloaded_library_keeps_its_name() {
    let test = "through_a_library_that_is_gone";
    check_stack(&loaded(test), test, &["first_inner", "first_visit", "call", test]);
}

#[test]
fn a_descriptor_opened_by_an_unloaded_library_keeps_its_call_stack() {
    let test = "opens_through_a_library_that_is_gone";
    let run = loaded(test);
    let [fd] = &run.report(test).fds[..] else { panic!("one: {:#?}", run.report(test)) };
    for function in ["opened", "first_inner", "first_visit", test] {
        assert!(fd.opened_at.iter().any(|frame| frame.is_in(function)), "{function}: {fd:#?}");
    }
}

#[test]
fn a_library_loaded_at_the_address_of_another_is_unwound_by_its_own_rules() {
    let test = "through_a_library_in_anothers_place";
    check_stack(&loaded(test), test, &["other_inner", "other_visit", "call", test]);
    let test = "through_both_in_the_same_place";
    let run = loaded(test);
    assert_eq!(names(site(&run, test, 1000)), ["first_inner", "first_visit", "call", test]);
    assert_eq!(names(site(&run, test, 20)), ["other_inner", "other_visit", "call", test]);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn generated_code_is_unwound_if_its_frames_are_registered() {
    for test in
        ["through_code_that_was_just_written", "through_code_where_there_was_none_described"]
    {
        check_stack(&loaded(test), test, &["?", "call", test]);
    }
    let test = "through_code_that_was_just_written_without_description";
    check_cut(&loaded(test), test, &["?"], &["call", test]);
}

#[test]
fn a_plugin_with_its_own_std_is_unwound() {
    let built = Cargo::new().args(&["build", "-p", "stacks-plugin"]).go();
    assert!(built.success, "{}", built.tests.stderr());
    let plugin = Cargo::target().join("debug/libstacks_plugin.so");
    let test = "through_a_plugin";
    let run = Fixture::new("stacks", "loaded").run().only(test);
    let run = run.env("PLUGIN", plugin.to_str().expect("the path is text")).go();
    check_order(site(&run, test, 100), &["plugin_sort", "plugin_sort", "call", test]);
    check_order(site(&run, test, 200), &["drop", "plugin_unwind", "plugin_unwind", "call", test]);
    check_order(site(&run, test, 300), &["plugin_thread"]);
}

#[test]
fn threads_allocate_while_others_load_and_unload() {
    let test = "while_others_load_and_unload";
    let run = loaded(test);
    assert_eq!(names(site(&run, test, 200)), [test]);
    assert_eq!(run.report(test).figures().retained.bytes, 200);
}

#[test]
fn the_stack_of_a_signal_handler_continues_in_the_interrupted_code() {
    for test in [
        "on_the_stack_that_was_struck",
        "on_an_alternate_stack_below",
        "on_an_alternate_stack_above",
    ] {
        let run = signals(test);
        let below = ["keeping", "strike", "slim_plain", "struck"];
        check_order(site(&run, test, 100), &below);
        let outermost = names(site(&run, test, 100)).pop();
        assert!(outermost.is_some_and(|name| ["begin", test].contains(&name)), "{outermost:?}");
    }
}

#[test]
fn a_capture_fits_on_the_smallest_thread_stack() {
    let test = "with_a_small_stack";
    let run = Fixture::new("stacks", "threads").run().only(test).go();
    check_stack(&run, test, &[test, "begin"]);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_signal_may_arrive_at_every_instruction() {
    let test = "at_an_instruction::each";
    let run = Fixture::new("stacks", "signals").run().only(test).env("LEAK_TOP", "9999").go();
    let report = run.report(test);
    assert!(report.figures().retained.blocks > 300, "{:?}", report.figures());
    for site in &report.call_sites {
        check_order(site, &["keeping", "step_by_step", "each"]);
    }
    let counted: u64 = report.call_sites.iter().map(|site| site.amount.blocks).sum();
    assert_eq!(counted, report.figures().retained.blocks);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_signal_may_arrive_before_a_frame_is_set_up() {
    let test = "at_an_instruction::the_first";
    check_order(site(&signals(test), test, 100), &["keeping_and_on", "the_first"]);
}

#[test]
fn a_thread_started_by_c_has_its_own_stack() {
    let run = Fixture::new("stacks", "threads").run().only("started_in_c").go();
    let frames = ["slim_large", "through_frames", "routine"];
    check_stack(&run, "started_in_c", &frames);
}

#[test]
fn a_bare_kernel_task_has_its_own_stack() {
    for test in ["task_of_the_kernel_below", "task_of_the_kernel_above"] {
        let run = Fixture::new("stacks", "threads").run().only(test).go();
        let frames = ["slim_large", "through_frames", "routine", "task_routine"];
        check_cut(&run, test, &frames, &[]);
    }
}

#[test]
fn a_coroutine_has_the_frames_of_its_own_stack() {
    let run = coroutines("of_a_library");
    let frames = ["slim_variable_array", "through_frames", "of_a_library"];
    for bytes in [100, 20] {
        check_order(site(&run, "of_a_library", bytes), &frames);
    }
    let test = "inside_each_other";
    let frames = ["slim_variable_array", "through_frames", "nested", "nested", "nested"];
    check_order(site(&coroutines(test), test, 100), &frames);
    let test = "one_after_another";
    let frames = ["slim_variable_array", "through_frames", test];
    check_stack(&coroutines(test), test, &frames);
}

#[test]
fn a_grown_stack_continues_in_the_stack_before_it() {
    let test = "grown_by_a_library";
    let frames = ["slim_variable_array", "through_frames", test, "grow", "on_stack", "grow", test];
    check_order(site(&coroutines(test), test, 100), &frames);
}

#[test]
fn a_ucontext_has_the_frames_of_its_own_stack() {
    for test in ["context::below", "context::above"] {
        let run = coroutines(test);
        check_order(site(&run, test, 100), &["slim_variable_array", "through_frames", "begin"]);
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_manual_stack_switch_is_unwound_if_it_has_unwind_rules() {
    let mut frames = vec!["slim_variable_array", "through_frames", "on_stack"];
    for test in ["by_hand::described_below", "by_hand::described_above"] {
        let run = coroutines(test);
        frames.truncate(3);
        frames.extend(["switched", "begin"]);
        check_order(site(&run, test, 100), &frames);
    }
    let test = "by_hand::on_stacks_that_are_gone";
    frames.truncate(3);
    frames.extend(["on_stacks_that_are_gone", "begin"]);
    check_order(site(&coroutines(test), test, 100), &frames);
    let own = ["slim_variable_array", "through_frames", "on_stack_undescribed"];
    for test in ["by_hand::undescribed_below", "by_hand::undescribed_above"] {
        check_cut(&coroutines(test), test, &own, &["switched", "begin"]);
    }
}

#[test]
fn a_drop_during_a_panic_is_on_the_stack_of_the_panic() {
    let test = "in_a_drop_on_the_way_of_a_panic";
    let run = unwinding(test);
    check_order(site(&run, test, 100), &["drop", "drops_and_unwinds", "framed_large", test, test]);
    let test = "in_a_drop_that_panics";
    check_order(site(&unwinding(test), test, 100), &["drop", test, test]);
}

#[test]
fn threads_allocate_while_others_panic() {
    let test = "while_others_panic";
    let run = unwinding(test);
    let mut frames = vec!["slim_deep"; 4];
    frames.push(test);
    check_order(site(&run, test, 100), &frames);
    assert_eq!(run.report(test).figures().retained.bytes, 100);
}

#[test]
fn a_thread_local_destructor_is_named() {
    let test = "in_destructors_of_thread_locals";
    let run = unwinding(test);
    check_order(site(&run, test, 2000), &["drop"]);
}

#[test]
fn a_child_of_a_fork_walks_its_stack_while_the_parents_threads_do() {
    let test = "in_the_child_of_a_fork";
    assert_eq!(unwinding(test).outcome(test), Outcome::Passed);
}

/// Each of four threads keeps a byte at every tenth step.
#[test]
fn a_storm_of_all_this_is_counted_to_the_byte() {
    let steps = 6000;
    let run = Fixture::new("stacks", "storm").run().env("STORM", &steps.to_string()).go();
    let report = run.report("storm");
    assert_eq!(report.verdict.is, "leaked", "{}", run.stdout());
    assert_eq!(report.figures().retained.bytes, 4 * steps / 10, "{report:#?}");
    check_order(
        site(&run, "storm", 4 * steps / 10),
        &["framed_variable_array", "weather", "storm"],
    );
}

fn frames(test: &str) -> Finished {
    Fixture::new("stacks", "frames").run().only(test).go()
}

fn loaded(test: &str) -> Finished {
    Fixture::new("stacks", "loaded").run().only(test).go()
}

fn signals(test: &str) -> Finished {
    Fixture::new("stacks", "signals").run().only(test).go()
}

fn coroutines(test: &str) -> Finished {
    Fixture::new("stacks", "coroutines").run().only(test).go()
}

fn unwinding(test: &str) -> Finished {
    Fixture::new("stacks", "unwinding").run().only(test).go()
}

/// The call site that retains this many bytes.
#[track_caller]
fn site<'a>(run: &'a Finished, test: &str, bytes: u64) -> &'a CallSite {
    let sites = &run.report(test).call_sites;
    let site = sites.iter().find(|site| site.amount.bytes == bytes);
    site.unwrap_or_else(|| panic!("nothing keeps {bytes} bytes: {sites:#?}"))
}

/// The callers of the function that leaks, newest first, by the last part of their path. Functions of
/// the standard library are excluded; `?` stands for a frame without a name.
fn names(site: &CallSite) -> Vec<&str> {
    let frames =
        site.frames.iter().skip_while(|frame| !frame.is_in("kept") && !frame.is_in("keep"));
    let frames = frames.skip_while(|frame| frame.is_in("kept") || frame.is_in("keep"));
    frames.filter_map(|frame| name(frame.function.as_deref().unwrap_or("?"))).collect()
}

fn name(path: &str) -> Option<&str> {
    let is_std = ["core::", "std::", "alloc::", "<core::", "__rust_try"]
        .iter()
        .any(|start| path.starts_with(start));
    let own = path.rsplit("::").find(|part| !part.starts_with('{')).unwrap_or(path);
    (!is_std).then_some(own)
}

/// The stack of the only call site.
#[track_caller]
fn check_stack(run: &Finished, test: &str, expected: &[&str]) {
    assert_eq!(only(run, test), expected, "`{test}`");
}

/// The stack of the only call site begins with `expected`. It ends there, with at most one frame
/// without a name, or continues with `may_follow`.
#[track_caller]
fn check_cut(run: &Finished, test: &str, expected: &[&str], may_follow: &[&str]) {
    let names = only(run, test);
    let rest = names.strip_prefix(expected);
    let rest = rest.unwrap_or_else(|| panic!("`{test}`: {names:?} begin with {expected:?}"));
    assert!([&[][..], &["?"], may_follow].contains(&rest), "`{test}`: {names:?}");
}

/// These functions are on the stack in this order, with others in between.
#[track_caller]
fn check_order(site: &CallSite, expected: &[&str]) {
    let names = names(site);
    let mut found = names.iter();
    for name in expected {
        assert!(found.any(|found| found == name), "{expected:?} are in {names:?}");
    }
}

#[track_caller]
fn only<'a>(run: &'a Finished, test: &str) -> Vec<&'a str> {
    let report = run.report(test);
    assert_eq!(run.outcome(test), Outcome::Failed);
    let [site] = &report.call_sites[..] else {
        panic!("`{test}` has {} call sites: {:#?}", report.call_sites.len(), report.call_sites)
    };
    names(site)
}
