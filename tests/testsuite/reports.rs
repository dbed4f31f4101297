//! Reports in JSON and text are as documented, and never contain memory contents.

use std::collections::BTreeSet;
use std::fs;

use leakcheck_tests::{Finished, Fixture, Folder, Outcome, mistake_in, schema_file};
use serde_json::{Value, json};

const SOURCE: &str = include_str!("../fixtures/reports/src/lib.rs");
const TESTS: &str = include_str!("../fixtures/reports/tests/parts.rs");
const PAGE: &str = include_str!("../../docs/report-schema.md");

/// The definitions of the schema, and the section of the page that describes each.
const SECTIONS: [(&str, &str); 31] = [
    ("report", "## The report"),
    ("test", "### `test`"),
    ("verdict", "### `verdict`"),
    ("skip", "### Skipped checks"),
    ("not_judged", "### Checks that are not judged"),
    ("excess", "### `verdict`"),
    ("unjudged_limit", "### Limits that cannot be judged"),
    ("limits", "### `limits`"),
    ("limit", "### `limits`"),
    ("limit_source", "### Source of a limit"),
    ("figures", "### `figures`"),
    ("amount", "### `figures`"),
    ("growth", "### `figures`"),
    ("events", "### `events`"),
    ("repetition", "### `repetition`"),
    ("sensitivity", "### `repetition`"),
    ("growing_resource", "### Growth of resources"),
    ("call_site", "### `call_sites`"),
    ("growing", "### Growth of a call site"),
    ("holder", "### `holders`"),
    ("root", "### `holders`"),
    ("step", "### `holders`"),
    ("frame", "### `call_sites`"),
    ("omitted", "### `omitted`"),
    ("allowed", "### `allowed`"),
    ("suppressed", "### `suppressed`"),
    ("thread", "### `threads`"),
    ("fd", "### `fds`"),
    ("child", "### `children`"),
    ("timeline", "### `timeline`"),
    ("unjudged", "### `unjudged`"),
];

#[test]
fn the_reports_of_every_verdict_are_as_the_schema_says() {
    let (run, folder) = run();
    let reports = folder.reports();
    for (test, verdict) in [
        ("breaks_every_limit", "leaked"),
        ("loads_a_cache", "leaked"),
        ("leaks_in_more_places_than_a_report_lists", "leaked"),
        ("keeps_a_little", "passed"),
        ("keeps_nothing", "passed"),
        ("is_skipped", "skipped"),
        ("panics_with_the_wrong_words", "not_judged"),
        ("returns_an_error", "not_judged"),
        ("limits_what_cannot_be_judged", "not_judged"),
    ] {
        let report = reports.get(&format!("reports/tests/parts/{test}.json"));
        let report = report.unwrap_or_else(|| panic!("no report on `{test}`:\n{}", run.stdout()));
        assert_eq!(report["verdict"]["is"], verdict, "{report:#}");
    }
    for (path, report) in &reports {
        assert_eq!(mistake_in(report), None, "{path}: {report:#}");
    }
}

#[test]
fn the_schema_is_strict() {
    let (_, folder) = run();
    let sound = report(&folder, "breaks_every_limit");
    let spoil = |pointer: &str, key: &str, value: Option<Value>| {
        let mut spoiled = sound.clone();
        let object =
            spoiled.pointer_mut(pointer).and_then(Value::as_object_mut).expect("an object");
        match value {
            Some(value) => object.insert(key.to_owned(), value),
            None => object.remove(key),
        };
        assert!(mistake_in(&spoiled).is_some(), "`{pointer}/{key}` is spoiled and passes");
    };
    let objects =
        ["", "/test", "/verdict", "/verdict/excesses/0", "/limits", "/limits/bytes", "/figures"];
    let more = [
        "/figures/churn",
        "/call_sites/0",
        "/omitted",
        "/allowed/0",
        "/suppressed/0",
        "/threads/0",
        "/fds/0",
        "/children/0",
    ];
    for pointer in objects.into_iter().chain(more).chain(["/call_sites/0/frames/0"]) {
        spoil(pointer, "unheard_of", Some(json!(1)));
        let object = sound.pointer(pointer).and_then(Value::as_object).expect("an object");
        for key in object.keys() {
            spoil(pointer, key, None);
            spoil(pointer, key, Some(json!({ "unheard": "of" })));
        }
    }
    spoil("/verdict", "is", Some(json!("passed")));
    spoil("", "schema", Some(json!(2)));
    spoil("", "figures", Some(Value::Null));
}

#[test]
fn the_page_describes_every_field_of_the_schema_and_no_other() {
    let schema: Value = serde_json::from_str(&fs::read_to_string(schema_file()).unwrap()).unwrap();
    let definitions = schema["$defs"].as_object().expect("definitions");
    let known: BTreeSet<&str> = SECTIONS.iter().map(|(definition, _)| *definition).collect();
    assert_eq!(known, definitions.keys().map(String::as_str).collect());

    for (_, heading) in SECTIONS {
        let of_section = SECTIONS.iter().filter(|(_, other)| *other == heading);
        let mut fields = BTreeSet::new();
        for (definition, _) in of_section {
            let properties =
                definitions[*definition]["properties"].as_object().expect("properties");
            for (name, property) in properties {
                let row = row(section(heading), name);
                let row = row.unwrap_or_else(|| panic!("`{name}` is not in the section {heading}"));
                for word in property["enum"].as_array().into_iter().flatten() {
                    let word = word.as_str().expect("a word");
                    assert!(
                        row.contains(&format!("`{word}`")),
                        "`{word}` of `{name}` is not in {heading}"
                    );
                }
                fields.insert(name.clone());
            }
        }
        let rows =
            section(heading).lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let rows: BTreeSet<String> = rows.map(str::to_owned).collect();
        assert_eq!(rows, fields, "the section {heading}");
    }
}

#[test]
fn a_report_has_every_part_that_was_asked_for() {
    let (_, folder) = run();
    let report = report(&folder, "breaks_every_limit");
    let over: Vec<&str> = report["verdict"]["excesses"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|excess| excess["figure"].as_str().expect("a word"))
        .collect();
    assert_eq!(over, ["bytes", "blocks", "peak_bytes", "threads", "fds", "children"]);
    assert_eq!(
        report["limits"]["peak_bytes"],
        json!({ "value": 1049, "source": { "is": "argument", "name": "peak_mb" } })
    );
    assert_eq!(
        report["limits"]["threads"],
        json!({ "value": 0, "source": { "is": "argument", "name": "threads" } })
    );
    let allowed =
        json!([{ "why": "plugins live as long as the process", "bytes": 70, "blocks": 1 }]);
    assert_eq!(report["allowed"], allowed);
    let noise = report["suppressed"][0]["why"].as_str().expect("a reason");
    assert!(noise.starts_with("output captured by libtest"), "{noise}");
    assert_eq!(report["threads"][0]["name"], "sweeper");
    let start = line_of(TESTS, ".name(\"sweeper\"");
    let frames = report["threads"][0]["started_at"].as_array().expect("a list");
    assert!(frames.iter().any(|frame| frame["line"] == start), "{frames:#?}");
    let opening = line_of(TESTS, "File::open");
    let frames = report["fds"][0]["opened_at"].as_array().expect("a list");
    assert!(frames.iter().any(|frame| frame["line"] == opening), "{frames:#?}");
    let starting = line_of(TESTS, ".spawn().unwrap());");
    let frames = report["children"][0]["started_at"].as_array().expect("a list");
    assert!(frames.iter().any(|frame| frame["line"] == starting), "{frames:#?}");
    assert_eq!(report["test"]["file"], "reports/tests/parts.rs");
}

#[test]
fn the_figures_of_a_report_add_up() {
    let (_, folder) = run();
    let reports = folder.reports();
    let measured = reports.values().filter(|report| report["figures"].is_object());
    assert!(measured.clone().count() >= 8);
    for report in measured {
        let (figures, omitted) = (&report["figures"], &report["omitted"]);
        let sum = |list: &str, of: &str| {
            report[list]
                .as_array()
                .expect("a list")
                .iter()
                .map(|item| number(&item[of]))
                .sum::<i64>()
        };
        for of in ["bytes", "blocks"] {
            let retained = number(&figures["retained"][of]);
            let net = retained - number(&figures["released"][of]);
            assert_eq!(number(&figures["net_growth"][of]), net, "{report:#}");
            let excused = sum("allowed", of) + sum("suppressed", of);
            let listed = sum("call_sites", of) + number(&omitted[of]);
            assert_eq!(listed + excused, retained, "every block has its place: {report:#}");
            if report["limits"]["measure"] == "net" {
                let noise = report["suppressed"].as_array().into_iter().flatten();
                let released: i64 = noise.map(|noise| number(&noise["released"][of])).sum();
                assert_eq!(number(&report["judged"][of]), net - excused + released, "{report:#}");
            }
        }
        if report["test"]["scope"] == "test" {
            let events = &figures["events"];
            let bytes = number(&events["bytes_allocated"]) - number(&events["bytes_deallocated"]);
            assert_eq!(bytes, number(&figures["net_growth"]["bytes"]), "{report:#}");
            let blocks = number(&events["allocations"]) - number(&events["deallocations"]);
            assert_eq!(blocks, number(&figures["net_growth"]["blocks"]), "{report:#}");
        }
    }
}

#[test]
fn the_text_matches_the_docs() {
    let (run, _) = run();
    let (keep, insert) = (line_of(SOURCE, "mem::forget"), line_of(SOURCE, "        keep(bytes);"));
    let (first, second) = (line_of(SOURCE, "insert(1500)"), line_of(SOURCE, "insert(500)"));
    let (load, own) = (line_of(TESTS, "Cache.load()"), line_of(TESTS, "keep(300)"));
    let expected = format!(
        "\
leakcheck: `loads_a_cache` leaked 2.25 KiB (2,300 bytes), limit 0 B (threshold_bytes)

  retained 2.25 KiB in 3 blocks · released 0 B · peak 2.25 KiB · allocated 3 blocks in total

  1.  1.46 KiB  65.2 %  1 block  reports::keep            reports/src/lib.rs:{keep}
                                 reports::Cache::insert   reports/src/lib.rs:{insert}
                                 reports::Cache::load     reports/src/lib.rs:{first}
                                 parts::loads_a_cache     reports/tests/parts.rs:{load}
  2.     500 B  21.7 %  1 block  reports::keep            reports/src/lib.rs:{keep}
                                 reports::Cache::insert   reports/src/lib.rs:{insert}
                                 reports::Cache::load     reports/src/lib.rs:{second}
                                 parts::loads_a_cache     reports/tests/parts.rs:{load}
  3.     300 B  13.0 %  1 block  reports::keep            reports/src/lib.rs:{keep}
                                 parts::loads_a_cache     reports/tests/parts.rs:{own}

  full report: [path]/reports/tests/parts/loads_a_cache.json
  leak or warm-up? LEAK_ITERATIONS=auto cargo test -p reports --test parts -- --exact loads_a_cache
  intended? leakcheck::allow(\"why\", || …), #[leak_check(threshold_bytes = …)] or (skip = \"why\")"
    );
    assert_eq!(text(&run, "loads_a_cache"), expected);
}

#[test]
fn the_text_reports_threads_allowed_memory_and_noise() {
    let (run, _) = run();
    let text = text(&run, "breaks_every_limit");
    let start = line_of(TESTS, ".name(\"sweeper\"");
    for line in [
        format!(
            "  still running: 1 thread (`sweeper`, started at reports/tests/parts.rs:{start})\n"
        ),
        "  allowed: 70 B in 1 block: plugins live as long as the process\n".to_owned(),
    ] {
        assert!(text.contains(&line), "{line}is not in\n{text}");
    }
    let noise = text.lines().find(|line| line.starts_with("  suppressed: "));
    assert!(noise.is_some_and(|line| line.contains("output captured by libtest")), "{text}");
    let headline = text.lines().next().expect("a headline");
    for part in [
        "` leaked 5.",
        " blocks, limit 1 (threshold_blocks); ",
        "peaked at ",
        "left 1 thread running, limit 0 (threads)",
    ] {
        assert!(headline.contains(part), "{part} is not in {headline}");
    }
}

#[test]
fn lines_are_not_longer_than_a_screen_is_wide() {
    let (run, _) = run();
    for test in ["loads_a_cache", "breaks_every_limit", "leaks_in_twelve_places", "keeps_a_little"]
    {
        // The headline and the path are not wrapped.
        let lines = text(&run, test);
        let lines = lines.lines().skip(1).filter(|line| !line.starts_with("  full report: "));
        for line in lines {
            assert!(
                line.chars().count() <= 100,
                "{} columns in `{test}`: {line}",
                line.chars().count()
            );
        }
    }
    let headline = text(&run, "loads_a_cache");
    assert!(headline.lines().next().is_some_and(|line| line.chars().count() <= 100));
}

#[test]
fn the_text_lists_as_many_call_sites_as_requested_and_sums_up_the_rest() {
    let only = "leaks_in_twelve_places";
    let run =
        |top: &str| Fixture::new("reports", "parts").run().env("LEAK_TOP", top).only(only).go();
    for (top, rest) in [
        ("1", Some("66 B in 11 more")),
        ("2", Some("55 B in 10 more")),
        ("11", Some("1 B in 1 more")),
        ("12", None),
    ] {
        let text = text(&run(top), only);
        let rows = text.lines().filter(|line| is_row(line)).count();
        assert_eq!(rows.to_string(), top, "{text}");
        let told = text.lines().find(|line| line.contains(" more call site")).map(str::trim);
        assert_eq!(told.map(|line| line.split(" call").next().unwrap()), rest, "{text}");
    }
    // By default it lists ten.
    let text = text(&Fixture::new("reports", "parts").run().only(only).go(), only);
    assert_eq!(text.lines().filter(|line| is_row(line)).count(), 10, "{text}");
    assert!(text.contains("  3 B in 2 more call sites\n"), "{text}");
}

#[test]
fn json_lists_the_hundred_largest_call_sites_and_sums_up_the_rest() {
    let (run, folder) = run();
    let test = "leaks_in_more_places_than_a_report_lists";
    let report = report(&folder, test);
    let sites = report["call_sites"].as_array().expect("a list");
    let bytes: Vec<u64> =
        sites.iter().map(|site| site["bytes"].as_u64().expect("a number")).collect();
    assert_eq!(bytes, (1000..1100).rev().collect::<Vec<_>>(), "the largest, the largest first");
    assert_eq!(report["omitted"], json!({ "call_sites": 12, "bytes": 78, "blocks": 12 }));
    assert_eq!(bytes.iter().sum::<u64>() + 78, report["judged"]["bytes"].as_u64().unwrap());
    let text = text(&run, test);
    assert!(text.contains(" 78 B in 12 more call sites\n"), "{text}");

    let more = Fixture::new("reports", "parts").run().env("LEAK_TOP", "111");
    let inside = Folder::new();
    more.env("LEAK_REPORT_DIR", inside.path().to_str().unwrap()).only(test).go();
    let report = self::report(&inside, test);
    assert_eq!(report["call_sites"].as_array().map(Vec::len), Some(111));
    assert_eq!(report["omitted"], json!({ "call_sites": 1, "bytes": 1, "blocks": 1 }));
}

#[test]
fn memory_contents_are_never_in_a_report() {
    let secret = SOURCE.split("SECRET: &str = \"").nth(1).and_then(|rest| rest.split('"').next());
    let secret = secret.expect("the fixture has a secret");
    let (run, folder) = run();
    assert_eq!(run.outcome("holds_secrets"), Outcome::Failed);
    assert_eq!(report(&folder, "holds_secrets")["figures"]["retained"]["blocks"], 9);
    let files = folder.files();
    let json = files.iter().map(|file| fs::read_to_string(folder.path().join(file)).expect("text"));
    let told = json
        .chain([run.stdout().to_owned(), run.stderr().to_owned()])
        .collect::<String>()
        .to_lowercase();
    assert!(told.contains("parts::holds_secrets"));
    let hex: String = secret.bytes().take(8).map(|byte| format!("{byte:02x}")).collect();
    for part in secret.split(' ').chain([secret, &hex]) {
        assert!(!told.contains(part), "`{part}` is in the reports");
    }
}

/// Runs all tests of the fixture. Also returns the folder of their reports.
fn run() -> (Finished, Folder) {
    let folder = Folder::new();
    let directory = folder.path().to_str().expect("the path is text");
    (Fixture::new("reports", "parts").run().env("LEAK_REPORT_DIR", directory).go(), folder)
}

#[track_caller]
fn report(folder: &Folder, test: &str) -> Value {
    folder.reports().remove(&format!("reports/tests/parts/{test}.json")).expect("a report")
}

/// The text of a report as libtest shows it, with a placeholder for the directory of reports.
fn text(run: &Finished, test: &str) -> String {
    let said = run.output(test);
    let begin = said.find("leakcheck: ").unwrap_or(said.len());
    let text = said[begin..].split("\nnote: ").next().unwrap_or_default().trim_end();
    let lines = text.lines().map(|line| match line.strip_prefix("  full report: ") {
        Some(path) => {
            let inside = path.find("/reports/tests/parts/").map_or(path, |at| &path[at..]);
            format!("  full report: [path]{inside}")
        }
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether a line begins a call site: `   1.  300 B …`.
fn is_row(line: &str) -> bool {
    line.trim_start().split_once(".  ").is_some_and(|(number, _)| number.parse::<u32>().is_ok())
}

#[track_caller]
fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn section(heading: &str) -> &'static str {
    let (_, after) = PAGE
        .split_once(&format!("\n{heading}\n"))
        .unwrap_or_else(|| panic!("no section {heading}"));
    after.split("\n##").next().unwrap_or_default()
}

fn row<'a>(section: &'a str, name: &str) -> Option<&'a str> {
    section.lines().find(|line| line.starts_with(&format!("| `{name}` |")))
}

fn line_of(source: &str, marker: &str) -> usize {
    source.lines().position(|line| line.contains(marker)).expect("the line is there") + 1
}
