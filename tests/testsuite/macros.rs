//! The attribute above and below the macros of test frameworks: each test has the result in the table
//! below, and each report names the line that leaks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use Expected::{Fails, Leaks, LeaksIn, Passes};
use leakcheck_tests::{Cargo, Finished, Outcome, Report};

/// The expected result of a test.
#[derive(Clone, Copy)]
enum Expected {
    Passes,
    /// Fails for a reason other than a leak, and is not judged.
    Fails,
    /// Leaks this many bytes at one line.
    Leaks(u64),
    /// The same, in a check with another name.
    LeaksIn(&'static str, u64),
}

const MACROS: &[(&str, Expected)] = &[
    ("helpers::async_call_without_the_attribute_leaks", LeaksIn("by async call", 1908)),
    ("helpers::async_function_in_a_task_leaks", LeaksIn("helpers::keeps_in_a_task", 1903)),
    ("helpers::async_function_leaks", LeaksIn("helpers::keeps_later", 1902)),
    ("helpers::async_function_that_fails_is_not_judged", Passes),
    ("helpers::async_functions_beside_each_other_are_clean", Passes),
    ("helpers::call_without_the_attribute_leaks", LeaksIn("by call", 1907)),
    ("helpers::function_leaks", LeaksIn("helpers::keeps", 1901)),
    ("helpers::method_leaks", LeaksIn("helpers::overfill", 1905)),
    ("helpers::methods_within_their_limits_are_clean", Passes),
    ("logged::above_is_clean", Passes),
    ("logged::above_leaks", Leaks(1601)),
    ("logged::below_is_clean", Passes),
    ("logged::below_leaks", Leaks(1602)),
    ("logged::imported::above_leaks", Leaks(1611)),
    ("logged::imported::tokio_above_leaks", Leaks(1612)),
    ("logged::tokio_above_is_clean", Passes),
    ("logged::tokio_above_leaks", Leaks(1605)),
    ("logged::tokio_below_leaks", Leaks(1606)),
    ("logged::tokio_first_leaks", Leaks(1607)),
    ("modules::given::conditional_leaks", Leaks(1812)),
    ("modules::given::nested::deeper::plain_leaks", Leaks(1821)),
    ("modules::given::nested::own::above_its_limit_leaks", Leaks(1823)),
    ("modules::given::nested::own::at_its_limit_passes", Passes),
    ("modules::given::own_limit_elsewhere_leaks", Leaks(1816)),
    ("modules::given::own_limit_passes", Passes),
    ("modules::given::own_limit_under_two_conditions_leaks", Leaks(1817)),
    ("modules::given::own_limit_where_it_applies_passes", Passes),
    ("modules::given::own_skip_is_not_judged", Passes),
    ("modules::given::panic_leaks", Leaks(1804)),
    ("modules::given::plain_is_clean", Passes),
    ("modules::given::plain_leaks", Leaks(1801)),
    ("modules::given::result_leaks", Leaks(1803)),
    ("modules::given::rstest_and_tokio_leak::case_1", Leaks(1807)),
    ("modules::given::rstest_leaks::case_1", Leaks(1806)),
    ("modules::given::smol_leaks", Leaks(91811)),
    ("modules::given::test_case_leaks::test_case_1_one", Leaks(1808)),
    ("modules::given::test_case_leaks::test_case_2_two", Leaks(1809)),
    ("modules::given::test_log_leaks", Leaks(1810)),
    ("modules::given::tokio_leaks", Leaks(1805)),
    ("modules::not_given::plain_passes", Passes),
    ("panics::above_is_clean", Passes),
    ("panics::async_above_is_clean", Passes),
    ("panics::async_above_leaks", Leaks(1213)),
    ("panics::async_below_leaks", Leaks(1214)),
    ("panics::below_is_clean", Passes),
    ("panics::check_panic_test_leaks", Leaks(1202)),
    ("panics::check_test_panic_leaks", Leaks(1201)),
    ("panics::no_panic_is_not_judged", Fails),
    ("panics::other_message_is_not_judged", Fails),
    ("panics::panic_above_is_not_judged", Fails),
    ("panics::panic_below_is_not_judged", Fails),
    ("panics::panic_check_test_leaks", Leaks(1205)),
    ("panics::panic_test_check_leaks", Leaks(1206)),
    ("panics::test_check_panic_leaks", Leaks(1203)),
    ("panics::test_panic_check_leaks", Leaks(1204)),
    ("plain::above_is_clean", Passes),
    ("plain::above_leaks", Leaks(1001)),
    ("plain::among_other_attributes_leaks", Leaks(1007)),
    ("plain::at_its_limit_passes", Passes),
    ("plain::below_is_clean", Passes),
    ("plain::below_leaks", Leaks(1002)),
    ("plain::by_its_full_path_leaks", Leaks(1008)),
    ("plain::by_path_above_leaks", Leaks(1005)),
    ("plain::by_path_below_leaks", Leaks(1006)),
    ("plain::made_by_a_macro_leaks", Leaks(1011)),
    ("plain::r#move", Leaks(1010)),
    ("plain::skipped_is_not_judged", Passes),
    ("plain::under_a_condition_leaks", Leaks(1009)),
    ("properties::above_is_clean", Passes),
    ("properties::above_leaks", Leaks(8408)),
    ("properties::below_leaks", Leaks(8412)),
    ("properties::each_run_is_clean", Passes),
    ("properties::each_run_leaks", LeaksIn("a run that leaks", 2101)),
    ("results::async_err_above_is_not_judged", Fails),
    ("results::async_err_below_is_not_judged", Fails),
    ("results::async_ok_above_leaks", Leaks(1111)),
    ("results::async_ok_below_leaks", Leaks(1112)),
    ("results::early_return_leaks", Leaks(1115)),
    ("results::err_above_is_not_judged", Fails),
    ("results::err_below_is_not_judged", Fails),
    ("results::err_of_an_alias_is_not_judged", Fails),
    ("results::exit_failure_is_not_judged", Fails),
    ("results::hidden_type_leaks", Leaks(1110)),
    ("results::ok_above_is_clean", Passes),
    ("results::ok_above_leaks", Leaks(1101)),
    ("results::ok_below_is_clean", Passes),
    ("results::ok_below_leaks", Leaks(1102)),
    ("results::success_leaks", Leaks(1108)),
    ("rstest_cases::case_above::case_1", Passes),
    ("rstest_cases::case_above::case_2", Leaks(1407)),
    ("rstest_cases::cases_above_leaks::case_1", Leaks(1402)),
    ("rstest_cases::cases_above_leaks::case_2_named", Leaks(1403)),
    ("rstest_cases::cases_below_leaks::case_1", Leaks(1404)),
    ("rstest_cases::cases_below_leaks::case_2_named", Leaks(1405)),
    ("rstest_cases::fixture_above_leaks", Leaks(1401)),
    ("rstest_cases::fixture_below_is_clean", Passes),
    ("rstest_cases::generic_above_leaks::case_1", Leaks(1410)),
    ("rstest_cases::generic_above_leaks::case_2", Leaks(1411)),
    ("rstest_cases::generic_below_leaks::case_1", Leaks(1412)),
    ("rstest_cases::panic_of_a_case::case_1_fine", Leaks(1415)),
    ("rstest_cases::panic_of_a_case::case_2_panics", Leaks(1416)),
    ("rstest_cases::result_above_leaks::case_1", Leaks(1413)),
    ("rstest_cases::result_below_is_not_judged::case_1", Fails),
    ("rstest_cases::tokio_above_is_clean::case_1", Passes),
    ("rstest_cases::tokio_above_leaks::case_1", Leaks(1417)),
    ("rstest_cases::tokio_below_leaks::case_1", Leaks(1419)),
    ("rstest_cases::tokio_between_leaks::case_1", Leaks(1418)),
    ("rstest_cases::values_below::bytes_1_1408::frees_1_true", Passes),
    ("rstest_cases::values_below::bytes_1_1408::frees_2_false", Leaks(1408)),
    ("rstest_cases::values_below::bytes_2_1409::frees_1_true", Passes),
    ("rstest_cases::values_below::bytes_2_1409::frees_2_false", Leaks(1409)),
    ("smol_tests::above_is_clean", Passes),
    ("smol_tests::above_leaks", Leaks(1701)),
    ("smol_tests::below_is_clean", Passes),
    ("smol_tests::below_leaks", Leaks(1702)),
    ("smol_tests::task_above_leaks", Leaks(1703)),
    ("test_cases::above_is_clean::test_case_1_one", Passes),
    ("test_cases::above_is_clean::test_case_2_two", Passes),
    ("test_cases::above_leaks::test_case_1_one", Leaks(1501)),
    ("test_cases::above_leaks::test_case_2_two", Leaks(1502)),
    ("test_cases::below_leaks::test_case_1_one", Leaks(1505)),
    ("test_cases::below_leaks::test_case_2_1506_expects", Leaks(1506)),
    ("test_cases::between_leaks::test_case_1_one", Leaks(1503)),
    ("test_cases::between_leaks::test_case_2_two", Leaks(1504)),
    ("test_cases::matrix_above::test_case_1_1517_true_expects", Passes),
    ("test_cases::matrix_above::test_case_2_1517_false_expects", Leaks(1517)),
    ("test_cases::matrix_above::test_case_3_1518_true_expects", Passes),
    ("test_cases::matrix_above::test_case_4_1518_false_expects", Leaks(1518)),
    ("test_cases::panic_above_leaks::test_case_1_one", Leaks(1515)),
    ("test_cases::result_below_leaks::test_case_1_one", Leaks(1516)),
    ("test_cases::tokio_above_is_clean::test_case_1_one", Passes),
    ("test_cases::tokio_above_leaks::test_case_1_one", Leaks(1519)),
    ("test_cases::tokio_above_leaks::test_case_2_two", Leaks(1520)),
    ("test_cases::tokio_below_leaks::test_case_1_one", Leaks(1523)),
    ("test_cases::tokio_between_leaks::test_case_1_one", Leaks(1521)),
    ("test_cases::tokio_between_leaks::test_case_2_two", Leaks(1522)),
    ("test_cases::value_above_leaks::test_case_1_one", Leaks(1513)),
    ("test_cases::value_below_is_clean::test_case_1_one", Passes),
    ("test_cases::value_below_is_clean::test_case_2_two", Passes),
    ("tokio_tests::current_thread::above_is_clean", Passes),
    ("tokio_tests::current_thread::above_leaks", Leaks(1301)),
    ("tokio_tests::current_thread::below_is_clean", Passes),
    ("tokio_tests::current_thread::below_leaks", Leaks(1302)),
    ("tokio_tests::current_thread::blocking_above_leaks", Leaks(1305)),
    ("tokio_tests::current_thread::blocking_below_leaks", Leaks(1306)),
    ("tokio_tests::current_thread::task_above_leaks", Leaks(1303)),
    ("tokio_tests::current_thread::task_below_leaks", Leaks(1304)),
    ("tokio_tests::current_thread::task_that_never_ends_is_clean", Passes),
    ("tokio_tests::imported::above_leaks", Leaks(1341)),
    ("tokio_tests::imported::below_leaks", Leaks(1342)),
    ("tokio_tests::multi_thread::above_is_clean", Passes),
    ("tokio_tests::multi_thread::above_leaks", Leaks(1321)),
    ("tokio_tests::multi_thread::below_is_clean", Passes),
    ("tokio_tests::multi_thread::below_leaks", Leaks(1322)),
    ("tokio_tests::multi_thread::blocking_above_leaks", Leaks(1325)),
    ("tokio_tests::multi_thread::blocking_below_leaks", Leaks(1326)),
    ("tokio_tests::multi_thread::task_above_leaks", Leaks(1323)),
    ("tokio_tests::multi_thread::task_below_leaks", Leaks(1324)),
];

const RENAMED: &[(&str, Expected)] = &[
    ("dependency::above_is_clean", Passes),
    ("dependency::above_leaks", Leaks(1001)),
    ("dependency::below_leaks", Leaks(1002)),
    ("dependency::panic_above_leaks", Leaks(1006)),
    ("dependency::rstest_above_leaks::case_1", Leaks(1005)),
    ("dependency::tokio_above_leaks", Leaks(1004)),
    ("module::deeper::plain_leaks", Leaks(1021)),
    ("module::deeper::tokio_leaks", Leaks(1022)),
    ("re_export::above_leaks", Leaks(1011)),
    ("re_export::made_by_its_macro_leaks", Leaks(1014)),
    ("re_export::tokio_above_is_clean", Passes),
    ("re_export::tokio_below_leaks", Leaks(1012)),
];

const EDITIONS: &[(&str, Expected)] = &[
    ("parts_of_a_value_are_clean", Passes),
    ("temporaries_of_a_condition_are_clean", Passes),
    ("temporaries_of_a_future_are_clean", Passes),
    ("temporaries_of_the_last_expression_are_clean", Passes),
];

const LINE_TABLES: &str = "profile.dev.package.macros.debug='line-tables-only'";
const FULL_DEBUG: &str = "profile.dev.package.macros.debug='full'";

#[test]
fn one_at_a_time_with_line_tables() {
    macros(&run("macros", "macros", &["--config", LINE_TABLES, "--", "--test-threads=1"]));
}

#[test]
fn eight_at_a_time_with_line_tables() {
    macros(&run("macros", "macros", &["--config", LINE_TABLES, "--", "--test-threads=8"]));
}

#[test]
fn one_at_a_time_with_full_debug_information() {
    macros(&run("macros", "macros", &["--config", FULL_DEBUG, "--", "--test-threads=1"]));
}

#[test]
fn eight_at_a_time_with_full_debug_information() {
    macros(&run("macros", "macros", &["--config", FULL_DEBUG, "--", "--test-threads=8"]));
}

/// std allocates for the backtrace that it prints with a panic.
#[test]
fn backtraces_of_panics_change_nothing() {
    let args = ["test", "-p", "macros", "--test", "macros"];
    macros(&Cargo::new().args(&args).env("RUST_BACKTRACE", "1").go().tests);
}

#[test]
fn with_the_path_to_a_renamed_or_re_exported_library() {
    let run = run("macros-renamed", "renamed", &[]);
    check(&run, RENAMED, "macros-renamed/tests");
}

#[test]
fn in_edition_2024() {
    check(&run("macros", "editions", &[]), EDITIONS, "macros/tests");
}

#[test]
fn in_edition_2021() {
    check(&run("macros-2021", "editions", &[]), EDITIONS, "macros/tests");
}

fn run(package: &str, target: &str, args: &[&str]) -> Finished {
    Cargo::new().args(&["test", "-p", package, "--test", target]).args(args).go().tests
}

fn macros(run: &Finished) {
    check(run, MACROS, "macros/tests/macros");
    for (check, verdict) in [
        ("helpers::frees_later", "passed"),
        ("helpers::fails_later", "not_judged"),
        ("helpers::fill", "passed"),
        ("helpers::emptied", "passed"),
        ("modules::given::own_skip_is_not_judged", "skipped"),
        ("plain::skipped_is_not_judged", "skipped"),
        ("a run that is clean", "passed"),
    ] {
        assert_eq!(run.report(check).verdict.is, verdict, "`{check}`");
    }
    assert!(!run.reports().contains_key("modules::not_given::plain_passes"));
    for test in [
        "plain::above_leaks",
        "plain::below_leaks",
        "results::ok_above_leaks",
        "results::ok_below_leaks",
    ] {
        points_to_its_function(run, test);
    }
}

/// All tests ran, and each has the result in the table.
fn check(run: &Finished, expected: &[(&str, Expected)], sources: &str) {
    let names: BTreeSet<&str> = expected.iter().map(|(test, _)| *test).collect();
    let ran: BTreeSet<&str> = run.outcomes().keys().map(String::as_str).collect();
    assert_eq!(ran, names, "{}\n{}", run.stdout(), run.stderr());
    let lines = leaking_lines(sources);
    for &(test, expected) in expected {
        match expected {
            Passes => assert_eq!(run.outcome(test), Outcome::Passed, "{}", run.output(test)),
            Fails => fails_as_itself(run, test),
            Leaks(bytes) => leaks(run, test, test, bytes, &lines[&bytes]),
            LeaksIn(check, bytes) => leaks(run, test, check, bytes, &lines[&bytes]),
        }
    }
}

fn fails_as_itself(run: &Finished, test: &str) {
    assert_eq!(run.outcome(test), Outcome::Failed, "`{test}`");
    assert_eq!(run.report(test).verdict.is, "not_judged", "{}", run.output(test));
    assert!(!run.output(test).contains("leakcheck: "), "{}", run.output(test));
}

/// The first call site of the report on `check` is the line at `place`, in JSON and in text.
fn leaks(run: &Finished, test: &str, check: &str, bytes: u64, place: &str) {
    assert_eq!(run.outcome(test), Outcome::Failed, "`{test}`");
    let (report, said) = (run.report(check), run.output(test));
    assert_eq!(report.verdict.is, "leaked", "{said}");
    assert_eq!(report.call_sites[0].amount.bytes, bytes, "{said}");
    assert_eq!(culprit(report).as_deref(), Some(place), "{said}");
    if limit(report) == Some(0) {
        assert_eq!(report.judged.map(|judged| judged.bytes), Some(bytes as i64), "{said}");
    }
    assert!(said.contains(&format!("leakcheck: `{check}` leaked ")), "{said}");
    assert_eq!(first_place(said), Some(place), "{said}");
}

/// The first frame of the largest call site that lies in a fixture.
fn culprit(report: &Report) -> Option<String> {
    let frames = report.call_sites[0].frames.iter();
    let places = frames.filter_map(|frame| Some((frame.file.as_deref()?, frame.line?)));
    places.map(|(file, line)| format!("{file}:{line}")).find(|place| place.starts_with("macros"))
}

fn limit(report: &Report) -> Option<u64> {
    report.limits.as_ref()?["bytes"]["value"].as_u64()
}

/// The first location in the first row of the text.
fn first_place(said: &str) -> Option<&str> {
    let (_, rows) = said.split_once("\n  1.  ")?;
    rows.split_whitespace().find(|word| word.contains(".rs:"))
}

/// The location of the panic is the name of the function.
fn points_to_its_function(run: &Finished, test: &str) {
    let (module, function) = test.rsplit_once("::").expect("the test is in a module");
    let file = format!("macros/tests/macros/{module}.rs");
    let source = fs::read_to_string(fixtures().join(&file)).expect("the source can be read");
    let mut lines = source.lines().zip(1..);
    let (_, line) =
        lines.find(|(line, _)| line.contains(&format!("fn {function}("))).expect("it is there");
    let said = run.output(test);
    assert!(said.contains(&format!("panicked at {file}:{line}:")), "{said}");
}

/// The lines with comments on how many bytes they leak: `// 1001 B, 1002 B`.
fn leaking_lines(sources: &str) -> BTreeMap<u64, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(fixtures().join(sources)).expect("the sources can be read") {
        let path = entry.expect("the sources can be read").path();
        let Ok(source) = fs::read_to_string(&path) else { continue };
        let file = path.strip_prefix(fixtures()).expect("it is a fixture").display();
        for (line, number) in source.lines().zip(1..) {
            for bytes in sizes(line) {
                let before = found.insert(bytes, format!("{file}:{number}"));
                assert_eq!(before, None, "{bytes} bytes leak at two lines");
            }
        }
    }
    found
}

fn sizes(line: &str) -> impl Iterator<Item = u64> {
    let comment = line.split_once("; // ").map_or("", |(_, comment)| comment);
    comment.split(", ").filter_map(|size| size.strip_suffix(" B")?.parse().ok())
}

fn fixtures() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"))
}
