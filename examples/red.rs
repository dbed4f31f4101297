//! Runs the lessons that a plain `cargo test` excludes, with the commands in their first lines, and asserts their results.

use std::path::Path;
use std::process::Command;

#[test]
fn first_leak_names_the_line_that_allocated() {
    let lesson = Lesson::ends_red("first_leak");
    lesson.has_failed("a_session_ends_with_log_out");
    lesson.says("leakcheck: `a_session_ends_with_log_out` leaked 3.99 MiB (4,");
    lesson.says(" bytes), limit 1.00 MiB (threshold_mb)");
    lesson.names("1,000 blocks first_leak::log_in", "String::with_capacity(4096)");
    lesson.names("first_leak::a_session_ends_with_log_out", "log_in(user);");
    lesson.counts(0, 1);
}

#[test]
fn the_readme_shows_the_report_of_first_leak() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    assert_eq!(report(&readme), report(&Lesson::ends_red("first_leak").stdout));
}

#[test]
fn parallel_tests_blame_the_one_that_leaks() {
    let lesson = Lesson::ends_red("parallel_tests");
    lesson.has_failed("articles::a_text_is_new_once");
    lesson.says("leakcheck: `articles::a_text_is_new_once` leaked 50.");
    lesson.says(" bytes), limit 0 B (threshold_bytes)");
    lesson.names("parallel_tests::is_new", "seen.push(text.to_owned());");
    lesson.counts(3, 1);
}

#[test]
fn leaky_cache_passes_once_it_is_bounded() {
    let lesson = Lesson::ends_red("leaky_cache");
    lesson.has_failed("crawling_fills_an_unbounded_cache");
    lesson.has_passed("crawling_does_not_fill_a_bounded_cache");
    lesson.says("limit 256 KiB (threshold_mb)");
    lesson.names("1,000 blocks leaky_cache::render", "row.repeat(100).into()");
    lesson.names("leaky_cache::PageCache::get", "let page = render(url);");
    lesson.counts(1, 1);
}

#[test]
fn rc_cycle_is_counted_to_the_byte() {
    let lesson = Lesson::ends_red("rc_cycle");
    lesson.has_failed("a_child_that_owns_its_parent_leaks_the_document");
    lesson.has_passed("a_child_with_a_weak_reference_does_not");
    lesson.says("limit 0 B (threshold_bytes)");
    lesson.says("retained 192 B in 3 blocks");
    lesson.names("rc_cycle::by_rc::append", "parent.children.borrow_mut().push(child);");
    lesson.names(
        "rc_cycle::a_child_that_owns_its_parent_leaks_the_document",
        "let body = element(\"body\");",
    );
    lesson.counts(1, 1);
}

#[test]
fn leak_or_warm_up_fails_the_test_whose_memory_grows_with_every_iteration() {
    let lesson = Lesson::ends_red("leak_or_warm_up");
    lesson.has_passed("a_table_is_initialized_once");
    lesson.has_failed("a_listener_stays_after_every_session");
    lesson.says("`a_listener_stays_after_every_session` leaks ");
    lesson.says("9,216 → 18,432 → 36,864 → 73,728 over batches of 1,024, 2,048, 4,096, 8,192");
    lesson
        .names("leak_or_warm_up::subscribe", "LISTENERS.lock().unwrap().push(Arc::new(listener));");
    lesson.says_all_of_the_report_in("docs/repetition.md");
    lesson.counts(1, 1);
}

#[test]
fn async_service_is_judged_after_its_runtime_has_shut_down() {
    let lesson = Lesson::ends_red("async_service");
    lesson.has_failed("timed_out_requests_stay");
    lesson.has_passed("timed_out_requests_are_removed");
    lesson.has_passed("timed_out_requests_are_removed_on_worker_threads");
    lesson.says("limit 512 KiB (threshold_mb)");
    lesson.names("1,000 blocks async_service::send", "\"please \".repeat(200)");
    lesson.names("async_service::ask", "let (_, answered) = send();");
    lesson.counts(2, 1);
}

#[test]
fn worker_threads_reports_the_thread_that_still_runs() {
    let lesson = Lesson::ends_red("worker_threads");
    lesson.has_failed("an_endless_sweeper_outlives_the_service");
    lesson.has_passed("a_sweeper_ends_with_the_service");
    lesson
        .says("`an_endless_sweeper_outlives_the_service` left 1 thread running, limit 0 (threads)");
    lesson.names("(`sweeper`, started at", "spawn(sweeper).unwrap();");
    lesson.has_failed("a_thumbnail_from_the_pool_stays_in_the_gallery");
    lesson.has_passed("a_thumbnail_from_the_pool_is_freed_after_use");
    lesson.names("worker_threads::render_thumbnail", "vec![0xff; 512 * 1024]");
    lesson.counts(2, 2);
}

#[test]
fn rstest_cases_checks_each_case_on_its_own() {
    let lesson = Lesson::ends_red("rstest_cases");
    lesson.has_failed("a_header_names_the_columns::case_3_quoted_columns");
    lesson.says("leakcheck: `a_header_names_the_columns::case_3_quoted_columns` leaked 4 B, limit 0 B (threshold_bytes)");
    lesson.names("rstest_cases::read_header", "to_owned().leak()");
    lesson.counts(2, 1);
}

#[test]
fn thresholds_by_kind_are_overridden_by_the_environment() {
    let mut command = lesson("thresholds_by_kind");
    command.env("LEAK_THRESHOLD_MB", "0");
    let lesson = Lesson::run("thresholds_by_kind", command, Some(101));
    lesson.says("`a_unit_test_may_keep_1_mib` leaked 512 KiB (524,288 bytes), limit 0 B (LEAK_THRESHOLD_MB)");
    lesson.has_passed("a_large_upload_is_read_in_chunks");
    lesson.counts(1, 5);
}

#[test]
fn own_allocator_counts_blocks_of_mimalloc() {
    let mut command = cargo();
    command.args(["test", "--manifest-path", "examples/own-allocator/Cargo.toml"]);
    // The target directory of the other lessons, which contains the dependencies that they share with this one.
    command.arg("--target-dir").arg(Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap());
    let lesson = Lesson::run("own-allocator/src/main", command, Some(0));
    lesson.has_passed("tests::the_longest_line_is_found");
    lesson.has_passed("tests::a_leak_is_seen");
    lesson.counts(2, 0);
}

#[test]
fn every_red_lesson_has_a_test_here() {
    let manifest = include_str!("Cargo.toml").split("[[test]]").skip(1);
    for target in manifest.filter(|target| target.contains("test = false")) {
        let name = target.split('"').nth(1).unwrap();
        assert!(
            include_str!("red.rs").contains(&format!("ends_red(\"{name}\")")),
            "`{name}` has no test"
        );
    }
}

/// A finished run of a lesson.
struct Lesson {
    source: String,
    path: String,
    stdout: String,
    /// `stdout` with each run of white space replaced by a single space.
    words: String,
}

impl Lesson {
    #[track_caller]
    fn ends_red(name: &str) -> Self {
        Self::run(name, lesson(name), Some(101))
    }

    #[track_caller]
    fn run(name: &str, mut command: Command, code: Option<i32>) -> Self {
        let path = format!("examples/{name}.rs");
        let output = command.output().expect("failed to run cargo");
        let stdout = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), code, "{stdout}{stderr}");
        let words = stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        let source = std::fs::read_to_string(root().join(&path)).unwrap();
        Self { source, path, stdout, words }
    }

    #[track_caller]
    fn has_passed(&self, test: &str) {
        self.says(&format!("test {test} ... ok"));
    }

    #[track_caller]
    fn has_failed(&self, test: &str) {
        self.says(&format!("test {test} ... FAILED"));
    }

    #[track_caller]
    fn counts(&self, passed: usize, failed: usize) {
        self.says(&format!("{passed} passed; {failed} failed; 0 ignored"));
    }

    /// Asserts that the output has the words `before`, followed by the location of the line with `code`.
    #[track_caller]
    fn names(&self, before: &str, code: &str) {
        let line = self
            .source
            .lines()
            .position(|line| line.contains(code))
            .expect("the lesson contains `code`")
            + 1;
        self.says(&format!("{before} {}:{line}", self.path));
    }

    /// Asserts that each line of a page's report was printed.
    #[track_caller]
    fn says_all_of_the_report_in(&self, page: &str) {
        let page = std::fs::read_to_string(root().join(page)).unwrap();
        for line in report(&page) {
            self.says(&line.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }

    #[track_caller]
    fn says(&self, expected: &str) {
        assert!(self.words.contains(expected), "`{expected}` is not in\n{}", self.stdout);
    }
}

/// The first report in a text, without the parts that depend on the platform or the target directory.
fn report(text: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| !line.starts_with("leakcheck: "));
    let end = |line: &&str| line.starts_with("note: ") || line.starts_with("```");
    let lines = lines.take_while(|line| !end(line)).filter(|line| !line.contains("full report: "));
    let mut lines: Vec<String> = lines.map(str::to_owned).collect();
    assert!(lines.len() > 5, "no report in\n{text}");
    let bytes = lines[0].find(" (").unwrap()..=lines[0].find(')').unwrap();
    lines[0].replace_range(bytes, "");
    lines
}

fn lesson(name: &str) -> Command {
    let mut command = cargo();
    command.args(["test", "-p", "leakcheck-examples", "--test", name]);
    command
}

/// `cargo` in the workspace, without variables that would change the output.
fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root()).env("RUST_BACKTRACE", "0").env("CARGO_TERM_COLOR", "never");
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["LEAK_", "NEXTEST", "RUST_TEST_"].iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the examples are in the workspace")
}
