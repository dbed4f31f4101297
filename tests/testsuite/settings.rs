//! Invalid settings fail every check, reports that cannot be written hide no verdict, and every test name has a
//! valid report file.

#[path = "../fixtures/settings/src/names.rs"]
mod names;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use leakcheck_tests::{Finished, Fixture, Folder, Outcome};

const FIXTURE: Fixture = Fixture::new("settings", "checks");
const MEBIBYTES: &str = "a number of MiB, 0 or more, such as `5` or `0.5`";

#[test]
fn without_settings_the_fixture_behaves_as_expected() {
    let run = FIXTURE.run().go();
    is_judged(&run);
    assert_eq!(run.stderr(), "", "nothing is to be said past libtest");
}

#[test]
fn a_limit_that_is_not_a_number_fails_every_check() {
    for value in ["abc", "-1", "NaN", "", "inf", "5MB", "1,5", "0x10"] {
        for variable in ["", "_UNIT", "_INTEGRATION", "_LONG_RUNNING"] {
            refused(&format!("LEAK_THRESHOLD_MB{variable}"), value, MEBIBYTES);
        }
    }
}

#[test]
fn an_unknown_value_fails_every_check() {
    for (variable, value, expected) in [
        ("LEAK_CHECK", "yes", "`on`, `warn`, `record` or `off`"),
        ("LEAK_CHECK", "OFF", "`on`, `warn`, `record` or `off`"),
        ("LEAK_CHECK", "", "`on`, `warn`, `record` or `off`"),
        ("LEAK_RECORD", "maybe", "`on` or `off`"),
        ("LEAK_RECORD", "", "`on` or `off`"),
        ("LEAK_TIMELINE", "fine", "`on` or `off`"),
        ("LEAK_TIMELINE", "", "`on` or `off`"),
        ("LEAK_TOP", "0", "a whole number of call sites, 1 or more"),
        ("LEAK_TOP", "ten", "a whole number of call sites, 1 or more"),
        ("LEAK_TOP", "-3", "a whole number of call sites, 1 or more"),
        ("LEAK_REPORT_DIR", "", "the path of a directory"),
        ("LEAK_LOST_BYTES", "1 kB", "a whole number of bytes"),
        ("LEAK_HOLDERS", "1", "`auto`, `on`, `rerun` or `off`"),
        ("LEAK_STACKS", "deep", "`full`, `sampled` or `off`"),
        ("LEAK_STACKS", "", "`full`, `sampled` or `off`"),
        ("LEAK_SUPPRESSIONS", "", "the path of a file of suppressions"),
    ] {
        refused(variable, value, expected);
    }
}

#[test]
fn a_disabled_check_still_validates_its_other_settings() {
    let run = FIXTURE.run().env("LEAK_CHECK", "off").env("LEAK_THRESHOLD_MB", "abc").go();
    every_check_says(
        &run,
        &format!("leakcheck: `LEAK_THRESHOLD_MB` is `abc`, expected {MEBIBYTES}"),
    );
}

#[test]
fn an_unknown_variable_warns_once_per_process() {
    let run = FIXTURE
        .run()
        .env("LEAK_FOO", "1")
        .env("LEAK_TRESHOLD_MB", "5")
        .env("LEAKY", "1")
        .threads(4)
        .go();
    is_judged(&run);
    let told = |name: &str| {
        let of = format!("leakcheck: `{name}` is not a variable of leakcheck");
        run.stderr().lines().filter(|line| line.starts_with(&of)).count()
    };
    assert_eq!((told("LEAK_FOO"), told("LEAK_TRESHOLD_MB")), (1, 1), "{}", run.stderr());
    assert_eq!(run.stderr().lines().count(), 2, "{}", run.stderr());
}

#[test]
fn a_leak_can_be_reported_without_failing() {
    let run = FIXTURE.run().env("LEAK_CHECK", "warn").only("keeps_six_megabytes").go();
    assert_eq!(run.outcome("keeps_six_megabytes"), Outcome::Passed);
    assert!(
        run.stderr().contains("leakcheck: `keeps_six_megabytes` leaked 6.00 MiB"),
        "{}",
        run.stderr()
    );
    assert_eq!(run.report("keeps_six_megabytes").verdict.is, "leaked");
}

#[test]
fn a_disabled_check_only_runs_the_body() {
    let run = FIXTURE.run().env("LEAK_CHECK", "off").only("keeps_six_megabytes").go();
    assert_eq!(run.outcome("keeps_six_megabytes"), Outcome::Passed);
    assert_eq!(run.stderr(), "");
    assert!(run.reports().is_empty());
}

#[test]
fn a_report_directory_that_is_a_file_hides_no_verdict() {
    let folder = Folder::new();
    let file = folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    cannot_write(&file);
    cannot_write(&file.join("below"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_only_report_directory_hides_no_verdict() {
    // Root ignores permissions, but it cannot write to the file systems of the kernel.
    cannot_write(Path::new("/proc/leakcheck"));
    cannot_write(Path::new("/sys/kernel"));
}

#[test]
fn a_directory_in_the_place_of_a_report_is_kept() {
    let folder = Folder::new();
    let in_the_way = folder.path().join("settings/tests/checks/keeps_six_megabytes.json");
    fs::create_dir_all(in_the_way.join("mine")).unwrap();
    let others = [
        "settings/tests/checks/other.json",
        "settings/tests/checks/.keeps_nothing.tmp",
        "notes.txt",
    ];
    for other in others {
        fs::write(folder.path().join(other), "{}").unwrap();
    }
    let run = with_reports_in(folder.path());
    is_judged(&run);
    assert_eq!(not_written(&run, "keeps_six_megabytes"), 1, "{}", run.stderr());
    assert!(run.output("keeps_six_megabytes").contains("full report: not written, "));
    assert!(in_the_way.join("mine").is_dir(), "a directory in the way is somebody's");
    for other in others {
        assert_eq!(fs::read_to_string(folder.path().join(other)).unwrap(), "{}", "{other}");
    }
    let begun = folder.files().into_iter().filter(|file| file.ends_with(".tmp")).count();
    assert_eq!(begun, 1, "what could not be renamed is removed again: {:?}", folder.files());
    assert!(folder.reports().contains_key("settings/tests/checks/keeps_nothing.json"));
}

#[test]
fn a_path_may_have_spaces_and_non_ascii_letters() {
    let folder = Folder::new();
    let odd = folder.path().join("two words/ünïcode ☃/'quoted' $HOME");
    let run = with_reports_in(&odd);
    is_judged(&run);
    assert_eq!(run.stderr(), "");
    let report = odd.join("settings/tests/checks/keeps_six_megabytes.json");
    assert!(report.is_file(), "{:?}", folder.files());
    assert!(
        run.output("keeps_six_megabytes").contains("ünïcode ☃/'quoted' $HOME"),
        "the path is told"
    );
}

#[test]
fn a_relative_path_is_resolved_from_the_directory_of_the_test() {
    let folder = Folder::new();
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/settings");
    let up: PathBuf = here.ancestors().skip(1).map(|_| "..").collect();
    let relative = up.join(folder.path().strip_prefix("/").expect("an absolute path"));
    is_judged(&with_reports_in(&relative));
    assert!(
        folder.reports().contains_key("settings/tests/checks/keeps_six_megabytes.json"),
        "{:?}",
        folder.files()
    );
}

#[test]
fn suppressions_that_cannot_be_read_fail_every_check() {
    let folder = Folder::new();
    let missing = folder.path().join("missing").display().to_string();
    let run = FIXTURE.run().env("LEAK_SUPPRESSIONS", &missing).go();
    every_check_says(
        &run,
        &format!("leakcheck: `LEAK_SUPPRESSIONS` names `{missing}`, which cannot be read: "),
    );

    for (text, number, line) in [
        ("# known\n\nleak:settings::keep\nrace:settings::keep\n", 4, "race:settings::keep"),
        ("leak:\n", 1, "leak:"),
        ("settings::keep", 1, "settings::keep"),
    ] {
        let path = folder.path().join("suppressions");
        fs::write(&path, text).unwrap();
        let path = path.display().to_string();
        let run = FIXTURE.run().env("LEAK_SUPPRESSIONS", &path).go();
        let names = format!(
            "leakcheck: `LEAK_SUPPRESSIONS` names `{path}`, whose line {number} is `{line}`, expected "
        );
        every_check_says(&run, &names);
    }
}

#[test]
fn suppressed_memory_passes_and_is_listed() {
    let folder = Folder::new();
    let path = folder.path().join("suppressions");
    fs::write(&path, "# It is on purpose.\nleak:settings::keep\n").unwrap();
    let run = FIXTURE
        .run()
        .env("LEAK_SUPPRESSIONS", path.to_str().unwrap())
        .only("keeps_six_megabytes")
        .go();
    assert_eq!(run.outcome("keeps_six_megabytes"), Outcome::Passed);
    let report = run.report("keeps_six_megabytes");
    let [suppressed] = &*report.suppressed else { panic!("{report:#?}") };
    assert_eq!((&*suppressed.rule, suppressed.amount.bytes), ("settings::keep", 6 << 20));
    assert!(report.call_sites.is_empty());
}

#[test]
fn every_name_maps_to_a_distinct_valid_file_name() {
    let folder = Folder::new();
    let inside = folder.path().join("reports");
    let run = FIXTURE
        .run()
        .env("LEAK_REPORT_DIR", inside.to_str().unwrap())
        .only("leaks_under_odd_names")
        .go();
    assert_eq!(run.outcome("leaks_under_odd_names"), Outcome::Passed, "{}", run.stdout());
    assert_eq!(run.stderr(), "");

    let reports = folder.reports();
    let found: BTreeSet<&str> =
        reports.values().filter_map(|report| report["test"]["name"].as_str()).collect();
    let names = names::odd();
    assert_eq!(found, names.iter().map(String::as_str).collect());
    assert_eq!(reports.len(), names.len(), "no report took another's place");
    let mut unlike = BTreeSet::new();
    for path in folder.files() {
        let file = path.strip_prefix("reports/").and_then(|path| path.split_once('/'));
        let (_, file) = file.unwrap_or_else(|| panic!("`{path}` is elsewhere"));
        let stem = file.strip_suffix(".json").expect("nothing but reports is left");
        assert!(
            stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)),
            "{stem}"
        );
        assert!(file.len() <= 200, "{file}");
        assert!(unlike.insert(stem.to_ascii_lowercase()), "{stem}");
    }
}

#[test]
fn a_killed_writer_leaves_no_partial_report() {
    for _ in 0..10 {
        let folder = Folder::new();
        let mut writer = Command::new(Fixture::new("settings", "endless").program())
            .env("LEAK_RECORD", "on")
            .env("LEAK_REPORT_DIR", folder.path())
            .stdin(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut reads = 0;
        while reads < 100 {
            assert!(
                writer.try_wait().expect("it can be asked").is_none(),
                "the writer goes on until it is killed"
            );
            // Fails on a partial report.
            reads += folder.reports().len();
        }
        writer.kill().expect("it can be killed");
        writer.wait().expect("it can be waited for");
        assert!(folder.reports().len() <= 3, "{:?}", folder.files());
        let others: Vec<String> =
            folder.files().into_iter().filter(|file| !file.ends_with(".json")).collect();
        assert!(
            others.iter().all(|file| file.contains("/.") && file.ends_with(".tmp")),
            "{others:?}"
        );
    }
}

fn with_reports_in(directory: &Path) -> Finished {
    FIXTURE.run().env("LEAK_REPORT_DIR", directory.to_str().expect("a path that is text")).go()
}

/// Expects the usual verdicts, and the reason for missing reports in the panic and on stderr.
fn cannot_write(directory: &Path) {
    let run = with_reports_in(directory);
    is_judged(&run);
    let said = run.output("keeps_six_megabytes");
    assert!(
        said.contains(&format!("full report: not written, `{}", directory.display())),
        "{said}"
    );
    assert!(said.contains("settings::keep "), "the call site is told all the same: {said}");
    assert_eq!(not_written(&run, "keeps_six_megabytes"), 1, "{}", run.stderr());
    assert_eq!(not_written(&run, "keeps_nothing"), 1, "a record was asked for: {}", run.stderr());
}

fn not_written(run: &Finished, test: &str) -> usize {
    let of = |line: &&str| {
        line.starts_with("leakcheck: the re")
            && line.contains(&format!("of `{test}` is not written: `"))
    };
    run.stderr().lines().filter(of).count()
}

#[track_caller]
fn is_judged(run: &Finished) {
    assert_eq!(run.outcome("keeps_nothing"), Outcome::Passed, "{}", run.stdout());
    assert_eq!(run.outcome("is_skipped"), Outcome::Passed, "{}", run.stdout());
    assert_eq!(run.outcome("keeps_six_megabytes"), Outcome::Failed, "{}", run.stdout());
    let said = run.output("keeps_six_megabytes");
    assert!(
        said.contains(
            "leakcheck: `keeps_six_megabytes` leaked 6.00 MiB (6,291,456 bytes), limit 5.00 MiB"
        ),
        "{said}"
    );
}

#[track_caller]
fn refused(variable: &str, value: &str, expected: &str) {
    let run = FIXTURE.run().env(variable, value).go();
    every_check_says(&run, &format!("leakcheck: `{variable}` is `{value}`, expected {expected}\n"));
}

/// Every check fails with this message, even one that would pass or be skipped.
#[track_caller]
fn every_check_says(run: &Finished, words: &str) {
    for test in ["keeps_nothing", "keeps_six_megabytes", "is_skipped"] {
        assert_eq!(run.outcome(test), Outcome::Failed, "`{test}`:\n{}", run.stdout());
        assert!(run.output(test).contains(words), "expected {words}\n{}", run.output(test));
    }
}
