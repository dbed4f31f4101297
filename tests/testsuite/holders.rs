//! A report shows what keeps leaked memory alive, or that it is lost.

use std::process::{Command, Output};
use std::sync::LazyLock;

use leakcheck_tests::{Finished, Fixture, Folder, Holder, Outcome, mistake_in};

const REACHABILITY: Fixture = Fixture::new("holders", "reachability");
const MEMORY: Fixture = Fixture::new("holders", "memory");
const LOST: Fixture = Fixture::new("holders", "lost");

/// All tests of the fixture, in parallel in one process.
static RUN: LazyLock<Finished> =
    LazyLock::new(|| REACHABILITY.run().env("LEAK_HOLDERS", "on").go());

/// The holders of what a test leaked through a function, with their classes.
#[track_caller]
fn holders(test: &str, function: &str) -> Vec<Holder> {
    assert_eq!(RUN.outcome(test), Outcome::Failed, "{}", RUN.stdout());
    let report = RUN.report(test);
    let through = report.call_sites.iter().filter(|site| site.passes(function));
    through.flat_map(|site| site.holders.clone()).collect()
}

/// Compares the bytes and blocks of each class with the expected ones.
#[track_caller]
fn check_classes(test: &str, function: &str, expected: &[(&str, u64, u64)]) {
    let mut found: Vec<(String, u64, u64)> = Vec::new();
    for holder in holders(test, function) {
        match found.iter_mut().find(|(class, ..)| *class == holder.class) {
            Some((_, bytes, blocks)) => {
                *bytes += holder.bytes;
                *blocks += holder.blocks;
            }
            None => found.push((holder.class, holder.bytes, holder.blocks)),
        }
    }
    found.sort();
    let found: Vec<(&str, u64, u64)> =
        found.iter().map(|(class, bytes, blocks)| (&**class, *bytes, *blocks)).collect();
    assert_eq!(found, expected, "`{test}`: {}", RUN.output(test));
}

/// Ignores how the text is wrapped into lines.
#[track_caller]
fn check_output(test: &str, expected: &str) {
    let said = RUN.output(test);
    assert!(on_one_line(said).contains(&on_one_line(expected)), "`{test}`: {said}");
}

/// Runs a program without libtest.
fn run_program(target: &'static str, variables: &[(&str, &str)]) -> Output {
    let folder = Folder::new();
    Command::new(Fixture::new("holders", target).program())
        .envs(variables.iter().copied())
        .env("LEAK_HOLDERS", "on")
        .env("LEAK_REPORT_DIR", folder.path())
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("it runs")
}

fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_static_is_named_by_its_path() {
    let table = 64 * (24 + 24) + 64 + 16;
    let entries = (0..50).map(|n: u64| 1000 + n + format!("key {n}").len() as u64).sum::<u64>();
    check_classes("in_a_static", "insert", &[("held_by_static", table + entries, 101)]);
    check_output(
        "in_a_static",
        "kept alive by 50.0 KiB in 50 blocks of Vec<u8>: static holders::cache::CACHE → ",
    );
}

#[test]
fn blocks_are_named_by_type_and_pointers_by_field() {
    let names = "static holders::cache::REGISTRY.inner.names → ";
    check_output("in_a_field_of_a_static", &format!("{names}here"));
    check_output(
        "in_a_field_of_a_static",
        &format!("{names}Vec<String> 96 B (holders/src/cache.rs:"),
    );
    check_output(
        "in_a_static",
        "CACHE → RawTable<(String, Vec<u8>)> 3.08 KiB (holders/src/cache.rs:",
    );
    check_output("in_a_lazy_thread_local", "→ LeafNode<u32, String> 320 B (");
    check_output(
        "a_leaked_tree",
        "reachable only from lost Rc<Branch> 64 B (holders/src/graph.rs:",
    );
    check_output("a_leaked_tree", "nothing points to it (retains 288 B)");
}

#[test]
fn names_that_macros_and_functions_wrap_around_a_static_are_omitted() {
    check_classes("in_a_lazy_static", "index", &[("held_by_static", 70, 2)]);
    check_output("in_a_lazy_static", "static holders::cache::INDEX → here");
    check_classes("in_a_static_of_a_function", "once", &[("held_by_static", 333, 1)]);
    check_output("in_a_static_of_a_function", "static holders::cache::once::ONCE → here");
}

#[test]
fn a_static_of_a_library_is_named_with_it() {
    check_classes("in_a_static_of_a_library", "lend_a_buffer", &[("held_by_static", 4096, 1)]);
    check_output("in_a_static_of_a_library", "static _IO_2_1_stdin_ of libc.so.6 → here");
}

#[test]
fn a_value_in_padding_holds_a_block_only_possibly() {
    check_classes("in_padding_between_fields", "pointee", &[("possibly_held", 3000, 1)]);
}

#[test]
fn a_thread_local_is_named_by_its_path_and_thread() {
    check_classes("in_a_thread_local", "here", &[("held_by_thread_local", 96 + 19, 2)]);
    let own = "thread-local holders::cache::LOCAL of the test's own thread → here";
    check_output("in_a_thread_local", own);
    check_classes("in_a_lazy_thread_local", "lazily", &[("held_by_thread_local", 320 + 19, 2)]);
    check_output("in_a_lazy_thread_local", "thread-local holders::cache::LAZY of the test's own");
}

#[test]
fn the_stack_of_a_running_thread_is_a_root() {
    check_classes("in_a_running_thread", "hold", &[("held_by_thread", 77_777, 1)]);
    let running = "kept alive by  the stack of thread `worker-1`, still running (started at \
                   holders/src/worker.rs:11)";
    check_output("in_a_running_thread", running);
}

#[test]
fn an_unreachable_block_is_lost() {
    check_classes("lost", "hand_over", &[("lost", 12_345, 1)]);
    check_output("lost", "lost           nothing points to it");
}

#[test]
fn a_reference_cycle_is_distinguished_from_what_it_retains() {
    let node = 56;
    let first = "first".len() as u64;
    let other = "one of the others".len() as u64;
    for (test, nodes) in
        [("in_a_cycle_of_one", 1), ("in_a_cycle_of_two", 2), ("in_a_cycle_of_many", 50)]
    {
        let names = first + (nodes - 1) * other;
        let expected =
            [("indirectly_lost", names, nodes), ("lost_in_a_cycle", nodes * node, nodes)];
        check_classes(test, "cycle", &expected);
        let cycles = holders(test, "cycle");
        let members = cycles.iter().filter(|holder| holder.class == "lost_in_a_cycle");
        assert!(members.clone().count() > 0 && members.clone().all(|of| of.members == nodes));
    }
    let member = "Rc<Node> (holders/src/graph.rs:13)";
    let weak = "make that pointer a `Weak`";
    check_output(
        "in_a_cycle_of_one",
        &format!("in a cycle: {member} → itself through `next`; {weak}"),
    );
    let both = format!("in a cycle: {member} ⇄ {member} through `next`; make one side a `Weak`");
    check_output("in_a_cycle_of_two", &both);
    let many = format!("in a cycle of 50 blocks: {member} → another … → back through `next`");
    check_output("in_a_cycle_of_many", &many);
}

#[test]
fn a_block_with_two_owners_is_retained_by_neither() {
    let retained = |function: &str| {
        let found = holders("between_two_statics", function);
        let own = found.iter().filter(|holder| holder.bytes == 24);
        own.map(|holder| holder.retained_bytes).collect::<Vec<_>>()
    };
    assert_eq!(retained("left"), [24 + 300], "{}", RUN.output("between_two_statics"));
    assert_eq!(retained("right"), [24 + 400], "{}", RUN.output("between_two_statics"));
}

#[test]
fn blocks_older_than_the_first_check_appear_in_reference_paths() {
    let output = run_program("early", &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    // Before the first check, the types of blocks are not recorded.
    assert!(said.contains("static early::OLDER → 32 B → 2.3"), "{said}");
    let later = "static early::main::LATER → Box<Mutex<Vec<Vec<u8>>>> 32 B (";
    assert!(on_one_line(&said).contains(later), "{said}");
}

#[test]
fn a_leaked_tree_is_not_a_cycle() {
    let expected = [("indirectly_lost", 3 * 64 + 32, 4), ("lost", 64, 1)];
    check_classes("a_leaked_tree", "forget_a_tree", &expected);
}

#[test]
fn reports_with_holders_are_as_the_schema_says() {
    let folder = Folder::new();
    let path = folder.path().to_str().expect("a path is text");
    let run = REACHABILITY.run().env("LEAK_HOLDERS", "on").env("LEAK_REPORT_DIR", path).go();
    let reports = folder.reports();
    assert_eq!(reports.len(), run.outcomes().len());
    for (path, report) in &reports {
        assert_eq!(mistake_in(report), None, "{path}: {report:#}");
    }
}

/// The classes of all that a test leaked.
fn classes(run: &Finished, test: &str) -> Vec<String> {
    let holders = run.report(test).call_sites.iter().flat_map(|site| &site.holders);
    holders.map(|holder| holder.class.clone()).collect()
}

#[test]
fn a_snapshot_at_the_first_verdict_shows_what_a_thorough_process_does() {
    for test in ["in_a_static", "in_a_thread_local", "lost", "in_a_cycle_of_two"] {
        let run = REACHABILITY.run().only(test).env("LEAK_HOLDERS", "auto").go();
        assert_eq!(run.outcome(test), Outcome::Failed);
        assert_eq!(classes(&run, test), classes(&RUN, test), "`{test}`: {}", run.output(test));
        assert!(!run.output(test).contains("rerun"), "{}", run.output(test));
    }
}

#[test]
fn memory_that_cannot_be_read_or_has_no_contents_is_skipped() {
    for test in [
        "beside_a_huge_mapping",
        "beside_a_large_block_without_contents",
        "beside_a_page_that_must_not_be_read",
        "beside_a_page_that_no_child_has",
    ] {
        let run = MEMORY.run().only(test).env("LEAK_HOLDERS", "auto").go();
        check_lost(&run, test);
    }
}

/// The role of a rerun does not depend on what its body does to the environment.
#[test]
fn a_body_that_clears_its_environment_is_rerun_once() {
    let test = "after_clearing_the_environment";
    let run = MEMORY.run().only(test).env("LEAK_HOLDERS", "rerun").go();
    check_lost(&run, test);
    let source = "reference paths are from a rerun of this test on its own";
    assert!(run.output(test).contains(source), "{}", run.output(test));
}

/// Checks that a test of `MEMORY` has lost its block.
#[track_caller]
fn check_lost(run: &Finished, test: &str) {
    assert_eq!(run.outcome(test), Outcome::Failed, "{}", run.stdout());
    let report = run.report(test);
    let site = report.call_sites.iter().find(|site| site.passes("hand_over"));
    let holders = &site.expect("it is listed").holders;
    let found: Vec<_> = holders.iter().map(|holder| (&*holder.class, holder.bytes)).collect();
    assert_eq!(found, [("lost", 12_345)], "`{test}`: {}", run.output(test));
}

#[test]
fn a_leak_that_happens_only_once_has_reference_paths() {
    let once = Folder::new();
    let file = once.path().join("there");
    let file = file.to_str().expect("a path is text");
    let test = "leaks_only_once";
    let run =
        REACHABILITY.run().only(test).env("LEAK_HOLDERS", "auto").env("LEAKED_ONCE", file).go();
    assert_eq!(run.outcome(test), Outcome::Failed);
    assert_eq!(classes(&run, test), ["lost"], "{}", run.output(test));
    let again = Folder::new();
    let file = again.path().join("there");
    let file = file.to_str().expect("a path is text");
    let run =
        REACHABILITY.run().only(test).env("LEAK_HOLDERS", "rerun").env("LEAKED_ONCE", file).go();
    assert_eq!(run.outcome(test), Outcome::Failed);
    let why = "no reference paths: not reproduced: the rerun of this test on its own did not leak";
    assert!(run.output(test).contains(why), "{}", run.output(test));
}

#[test]
fn a_failing_test_is_rerun_on_request() {
    for test in ["in_a_static", "lost", "in_a_cycle_of_two"] {
        let run = REACHABILITY.run().only(test).env("LEAK_HOLDERS", "rerun").go();
        assert_eq!(classes(&run, test), classes(&RUN, test), "`{test}`: {}", run.output(test));
        let source = "reference paths are from a rerun of this test on its own";
        assert!(run.output(test).contains(source), "{}", run.output(test));
    }
}

#[test]
fn a_stripped_program_is_searched_too() {
    let folder = Folder::new();
    let program = folder.path().join("reachability");
    let strip = Command::new("strip").arg("-o").arg(&program).arg(REACHABILITY.program()).output();
    assert!(strip.expect("binutils come with the linker").status.success());
    for mode in ["auto", "rerun"] {
        let output = Command::new(&program)
            .args(["--exact", "lost"])
            .env("LEAK_HOLDERS", mode)
            .env("LEAK_REPORT_DIR", folder.path())
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("lost           nothing points to it"), "{mode}: {said}");
    }
}

#[test]
fn a_test_on_the_main_thread_is_searched_and_rerun_there() {
    for mode in ["auto", "rerun"] {
        let run = REACHABILITY.run().only("lost").threads(1).env("LEAK_HOLDERS", mode).go();
        let said = run.output("lost");
        assert!(said.contains("nothing points to it"), "{mode}: {said}");
    }
}

#[test]
fn a_check_outside_of_libtest_has_reference_paths_but_no_rerun() {
    let said = |mode: &str| {
        let run = Fixture::new("holders", "harness").program();
        let output = Command::new(run)
            .env("LEAK_HOLDERS", mode)
            .env("RUST_BACKTRACE", "0")
            .env("LEAK_REPORT_DIR", Folder::new().path())
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("leaked 55 B"), "{said}");
        said
    };
    assert!(said("auto").contains("nothing points to it"), "{}", said("auto"));
    let why = "no reference paths: only tests that libtest runs can be rerun";
    assert!(said("rerun").contains(why), "{}", said("rerun"));
}

/// With the least address space in which the program runs, there is none for the shadow map, whose first
/// part takes 16 MiB.
#[test]
fn refused_memory_for_the_shadow_map_is_reported() {
    let program = Fixture::new("holders", "harness").program();
    let run = |mib: u64| {
        let output = Command::new("sh")
            .args(["-c", &format!("ulimit -v {} && exec \"$0\"", mib << 10)])
            .arg(&program)
            .env("LEAK_HOLDERS", "auto")
            .env("RUST_BACKTRACE", "0")
            .env("LEAK_REPORT_DIR", Folder::new().path())
            .output()
            .expect("it runs");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = (8..256).step_by(4).map(run).find(|said| said.contains("leaked 55 B"));
    let said = said.expect("it runs with little address space");
    assert!(said.contains("no reference paths: the kernel refused memory"), "{said}");
}

#[test]
fn one_lost_byte_exceeds_the_limit_for_lost_bytes() {
    for mode in ["on", "auto", "rerun"] {
        let test = "loses_a_block_below_the_byte_limit";
        let run = LOST.run().only(test).env("LEAK_HOLDERS", mode).go();
        assert_eq!(run.outcome(test), Outcome::Failed, "{mode}: {}", run.stdout());
        let expected = format!("`{test}` lost 10 B, limit 0 B (lost_bytes)");
        assert!(run.output(test).contains(&expected), "{mode}: {}", run.output(test));
        let test = "keeps_a_block_below_the_byte_limit";
        let run = LOST.run().only(test).env("LEAK_HOLDERS", mode).go();
        assert_eq!(run.outcome(test), Outcome::Passed, "{mode}: {}", run.stdout());
    }
}

#[test]
fn a_limit_that_cannot_be_judged_fails() {
    let test = "loses_a_block_below_the_byte_limit";
    let run = LOST.run().only(test).env("LEAK_HOLDERS", "off").go();
    assert_eq!(run.outcome(test), Outcome::Failed, "{}", run.stdout());
    let told = format!("`{test}` cannot be judged by limit 0 B (lost_bytes): `LEAK_HOLDERS` is");
    assert!(run.output(test).contains(&told), "{}", run.output(test));
    // It is the same for a limit in the environment.
    let by_variable = LOST.run().only(test).env("LEAK_LOST_BYTES", "99");
    let run = by_variable.env("LEAK_HOLDERS", "off").go();
    assert_eq!(run.outcome(test), Outcome::Failed, "{}", run.stdout());
    assert!(run.output(test).contains("remove `LEAK_LOST_BYTES`"), "{}", run.output(test));
}

#[test]
fn known_noise_is_excluded_from_lost_bytes() {
    let test = "loses_a_block_before_a_printed_panic";
    let run = LOST.run().only(test).env("LEAK_HOLDERS", "on").env("RUST_BACKTRACE", "1").go();
    let report = run.report(test);
    assert_eq!(report.call_sites.iter().map(|site| site.amount.bytes).collect::<Vec<_>>(), [10]);
    assert!(run.output(test).contains("  suppressed: "), "{}", run.output(test));
}

#[test]
fn the_variable_limits_lost_bytes_everywhere() {
    let test = "loses_a_block_below_the_byte_limit";
    let run = LOST.run().only(test).env("LEAK_HOLDERS", "on").env("LEAK_LOST_BYTES", "10").go();
    assert_eq!(run.outcome(test), Outcome::Passed, "{}", run.stdout());
    let run = LOST.run().only(test).env("LEAK_HOLDERS", "on").env("LEAK_LOST_BYTES", "9").go();
    assert!(
        run.output(test).contains("lost 10 B, limit 9 B (LEAK_LOST_BYTES)"),
        "{}",
        run.output(test)
    );
}

/// Meanwhile other threads allocate, start threads and fork.
#[test]
fn snapshots_get_along_with_threads_and_forks() {
    let output = run_program("storm", &[("VERDICTS", "60")]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("60 answered, 0 otherwise"), "{said}");
    assert!(said.contains("zombie -1"), "{said}");
}

#[test]
fn a_hundred_thousand_blocks_are_searched() {
    let output = run_program("large", &[("BLOCKS", "100000")]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("told true"), "{said}");
}

#[test]
fn holders_are_not_reported_when_turned_off() {
    let test = "lost";
    let run = REACHABILITY.run().only(test).env("LEAK_HOLDERS", "off").go();
    assert!(run.report(test).call_sites.iter().all(|site| site.holders.is_empty()));
    assert!(!run.output(test).contains("nothing points to it"), "{}", run.output(test));
}
