//! Every format is read back by a parser that is not ours.

use leakcheck_report::{Amount, Class, Excess, Figure, Figures, Growth, Kind, Limit, Limits};

use super::*;
use crate::fingerprint::Fingerprints;
use crate::model::{Compared, FrameIn, Interner, Meta};

/// A name that is as bad as names get.
pub(crate) const HOSTILE: &str = "</script><script>window.hacked = 1</script><img src=x onerror=\"window.hacked = 1\">|`;\n::error::x]]>&amp;\u{1b}[31m";

fn frame(function: &str, file: &str, line: u32, class: Class) -> Frame {
    Frame::of_function(function, class).at(file, line)
}

/// A run with a test of every status, and hostile names.
pub(crate) fn a_run() -> Run {
    let mut run = Run::new(Meta {
        started: 1_700_000_000,
        seconds: 1.5,
        runner: "cargo test".into(),
        commit: Some("0123456789abcdef".into()),
        ..Meta::default()
    });
    let mut interner = Interner::default();
    let mut fingerprints = Fingerprints::default();
    let stack = [
        frame("alloc::vec::Vec<T>::push", "library/alloc/src/vec/mod.rs", 10, Class::Std),
        frame("app::cache::insert", "src/a cache.rs", 12, Class::User),
        frame(HOSTILE, "src/<b>.rs", 40, Class::User),
    ];
    for (at, status) in Status::ALL.into_iter().enumerate() {
        let name =
            if status == Status::Leaked { HOSTILE.to_owned() } else { format!("tests::t{at}") };
        let limit = Limit::default_of(Kind::Unit);
        let place = interner.stack(&mut run, stack.iter().map(FrameIn::from));
        let site = Site {
            bytes: 3 << 20,
            blocks: 7,
            stack: place,
            fingerprint: fingerprints.of(&run, place),
            known: status == Status::Known,
            ..Site::default()
        };
        let excess = Excess::new(Figure::Bytes, 3 << 20, limit.clone());
        let leaks = matches!(status, Status::Leaked | Status::Known);
        let mut limits = Limits::default();
        limits.bytes = Some(limit);
        let mut figures = Figures::default();
        figures.net_growth = Growth { bytes: 3 << 20, blocks: 7 };
        figures.peak_bytes = 4 << 20;
        figures.churn = Amount { bytes: 9 << 20, blocks: 90 };
        let check = Check {
            limits: Some(limits),
            excesses: if leaks { vec![excess] } else { Vec::new() },
            judged: Some(Growth { bytes: 3 << 20, blocks: 7 }),
            figures: Some(figures),
            sites: vec![site],
            file: Some("src/lib.rs".into()),
            line: Some(3),
            regressions: if status == Status::Regressed {
                vec![Regression { figure: Compared::Peak, before: 1, now: 3, tolerated: 2 }]
            } else {
                Vec::new()
            },
            ..Check::default()
        };
        let has_check = !matches!(status, Status::Unchecked | Status::Ignored);
        run.tests.push(Test {
            target: "app".into(),
            name,
            status,
            skip: None,
            why: (status == Status::Skipped).then(|| HOSTILE.to_owned()),
            seconds: Some(0.25),
            check: has_check.then_some(check),
        });
    }
    run
}

fn bytes(format: Format) -> Vec<u8> {
    let mut bytes = Vec::new();
    render(format, &a_run(), &Context::default(), &mut bytes).unwrap();
    bytes
}

fn text(format: Format) -> String {
    String::from_utf8(bytes(format)).unwrap()
}

fn json(format: Format) -> serde_json::Value {
    serde_json::from_str(&text(format)).unwrap()
}

#[test]
fn a_files_name_tells_its_format() {
    let format = |name: &str| name.parse::<Target>().map(|target| target.format);
    assert_eq!(format("out/report.html"), Ok(Format::Html));
    assert_eq!(format("a.json"), Ok(Format::Json));
    assert_eq!(format("a.speedscope.json"), Ok(Format::Speedscope));
    assert_eq!(format("dhat=a.json"), Ok(Format::Dhat));
    assert_eq!(format("gl-code-quality-report.json"), Ok(Format::Gitlab));
    assert!(format("report.txt").unwrap_err().contains("html"));
    assert!(format("html=").unwrap_err().contains("is not followed by a file"));
}

#[test]
fn json_reads_back_as_it_was() {
    let run: Run = serde_json::from_str(&text(Format::Json)).unwrap();
    assert_eq!(run, a_run());
}

#[test]
fn a_page_has_nothing_of_a_hostile_name_outside_of_its_data() {
    let page = text(Format::Html);
    assert_eq!(page.matches("<script").count(), 2, "the data and the page's own script");
    assert_eq!(page.matches("</script").count(), 2);
    let data = page.split("id=\"data\">").nth(1).unwrap().split("</script>").next().unwrap();
    assert!(!data.contains(['<', '>', '&']), "the data cannot end where it should not");
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let names = data["tests"].as_array().unwrap().iter().map(|test| test["n"].as_str().unwrap());
    assert!(names.into_iter().any(|name| name == HOSTILE), "the name is there as it is");
}

#[test]
fn a_page_brings_everything_along() {
    let page = text(Format::Html);
    for reference in ["src=\"", "href=\"http", "url(", "@import", "//cdn"] {
        let own = page.replace("http://www.w3.org/2000/svg", "");
        let outside_of_data = own.split("id=\"data\">").next().unwrap();
        assert!(!outside_of_data.contains(reference), "{reference}");
    }
}

#[test]
fn folded_stacks_have_a_line_a_call_site() {
    let text = text(Format::Folded);
    let run = a_run();
    let sites: usize = run.tests.iter().map(|test| test.sites().len()).sum();
    assert_eq!(text.lines().count(), sites);
    for line in text.lines() {
        let (stack, bytes) = line.rsplit_once(' ').unwrap();
        assert_eq!(bytes.parse::<u64>().unwrap(), 3 << 20);
        assert_eq!(stack.split(';').count(), 4, "the test and three frames: {line}");
    }
}

#[test]
fn speedscope_has_a_weight_for_each_sample_and_names_frames_that_are_there() {
    let file = json(Format::Speedscope);
    let frames = file["shared"]["frames"].as_array().unwrap().len() as u64;
    let profiles = file["profiles"].as_array().unwrap();
    assert_eq!(profiles.len(), 3, "all tests, the leak, and the known one");
    for profile in profiles {
        let samples = profile["samples"].as_array().unwrap();
        let weights = profile["weights"].as_array().unwrap();
        assert_eq!(samples.len(), weights.len());
        let sum: u64 = weights.iter().map(|weight| weight.as_u64().unwrap()).sum();
        assert_eq!(profile["endValue"].as_u64().unwrap(), sum);
        let all = samples.iter().flat_map(|sample| sample.as_array().unwrap());
        assert!(all.into_iter().all(|frame| frame.as_u64().unwrap() < frames));
    }
}

#[test]
fn dhat_names_frames_that_are_there() {
    let file = json(Format::Dhat);
    assert_eq!(file["dhatFileVersion"], 2);
    let table = file["ftbl"].as_array().unwrap();
    for point in file["pps"].as_array().unwrap() {
        let frames: Vec<u64> =
            point["fs"].as_array().unwrap().iter().map(|place| place.as_u64().unwrap()).collect();
        assert!(frames.iter().all(|place| (*place as usize) < table.len()));
        let outermost = &table[*frames.last().unwrap() as usize];
        assert!(outermost.as_str().unwrap().starts_with("test app::"));
        assert_eq!(
            table[frames[0] as usize],
            "alloc::vec::Vec<T>::push (library/alloc/src/vec/mod.rs:10)"
        );
    }
}

#[test]
fn dhat_has_a_point_for_call_sites_that_look_the_same() {
    let mut run = a_run();
    let leaked = run.tests.iter_mut().find(|test| test.status == Status::Leaked).unwrap();
    let check = leaked.check.as_mut().unwrap();
    check.sites.push(check.sites[0].clone());
    let mut bytes = Vec::new();
    render(Format::Dhat, &run, &Context::default(), &mut bytes).unwrap();
    let file: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let points = file["pps"].as_array().unwrap();
    let places: std::collections::BTreeSet<String> =
        points.iter().map(|point| point["fs"].to_string()).collect();
    assert_eq!(places.len(), points.len());
    let doubled = points.iter().filter(|point| point["tb"] == 6 << 20 && point["tbk"] == 14);
    assert_eq!(doubled.count(), 1);
}

#[test]
fn pprof_reads_back() {
    use flate2::read::GzDecoder;
    use prost::Message;
    use std::io::Read;

    let bytes = bytes(Format::Pprof);
    let mut plain = Vec::new();
    GzDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap();
    let profile = pprof::proto::Profile::decode(&plain[..]).unwrap();
    assert_eq!(profile.string_table[0], "");
    let name = |place: i64| profile.string_table[place as usize].as_str();
    let kinds: Vec<_> = profile.sample_type.iter().map(|of| (name(of.of), name(of.unit))).collect();
    assert_eq!(kinds, [("inuse_objects", "count"), ("inuse_space", "bytes")]);
    // pprof cuts names of which it thinks that they come out of a compiler.
    assert!(profile.function.iter().all(|function| function.system_name == 0));
    let run = a_run();
    let sites: usize = run.tests.iter().map(|test| test.sites().len()).sum();
    assert_eq!(profile.sample.len(), sites);
    for sample in &profile.sample {
        assert_eq!(sample.value, [7, 3 << 20]);
        let function = |id: &u64| {
            let location = profile.location.iter().find(|location| location.id == *id).unwrap();
            let id = location.line[0].function_id;
            name(profile.function.iter().find(|function| function.id == id).unwrap().name)
        };
        let stack: Vec<&str> = sample.location_id.iter().map(function).collect();
        assert_eq!(stack[..2], ["alloc::vec::Vec<T>::push", "app::cache::insert"]);
        assert!(stack[3].starts_with("app::"), "the test is the outermost: {stack:?}");
        assert_eq!(name(sample.label[0].key), "test");
    }
}

/// Why a value does not match a schema in the folder `tests`; `None` where it does.
fn mistake_in(value: &serde_json::Value, schema: &str) -> Option<String> {
    let path = format!("{}/tests/{schema}", env!("CARGO_MANIFEST_DIR"));
    let mut schemas = boon::Schemas::new();
    let schema = boon::Compiler::new().compile(&path, &mut schemas).unwrap();
    schemas.validate(value, schema).err().map(|error| format!("{error:#}"))
}

#[test]
fn sarif_is_as_the_standard_has_it() {
    let log = json(Format::Sarif);
    // Without its two patterns for languages, which are no regular expressions.
    assert_eq!(mistake_in(&log, "sarif-2.1.0.schema.json"), None);
    assert_eq!(log["runs"].as_array().unwrap().len(), 1);
    let results = log["runs"][0]["results"].as_array().unwrap();
    let of = |level: &str| results.iter().filter(|result| result["level"] == level).count();
    assert_eq!(
        (of("error"), of("note")),
        (2, 1),
        "the leak and the regression, and the known leak"
    );
    let leak = &results[0];
    let place = &leak["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "src/a%20cache.rs");
    assert_eq!(place["region"]["startLine"], 12, "the line that allocates");
    assert_eq!(leak["stacks"][0]["frames"].as_array().unwrap().len(), 3);
}

#[test]
fn junit_counts_leaks_as_failures() {
    let text = text(Format::Junit);
    let report = quick_junit::Report::deserialize_from_str(&text).unwrap();
    let suite = &report.test_suites[0];
    assert_eq!(suite.test_cases.len(), Status::ALL.len());
    assert_eq!((suite.failures, suite.errors, suite.disabled), (3, 2, None), "{text}");
    assert!(text.contains("type=\"leak\""), "{text}");
    let first = text.split("<testsuites").nth(1).unwrap().split('>').next().unwrap();
    assert!(!first.contains("skipped"), "Jenkins refuses it: {first}");
    assert_eq!(suite.skipped, 2, "{text}");
    assert!(!text.contains('\u{1b}'), "XML has no such character");
}

#[test]
fn markdown_keeps_names_in_their_cells() {
    let text = text(Format::Markdown);
    assert!(!text.contains("<script"), "{text}");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).collect();
    let bars = |row: &str| row.replace("\\|", "").matches('|').count();
    assert!(rows.len() > 5 && rows.iter().all(|row| bars(row) == 7), "{text}");
}

#[test]
fn annotations_are_at_the_line_that_allocates() {
    let text = github::annotations(&a_run());
    let first = text.lines().next().unwrap();
    assert!(first.starts_with("::error file=src/a cache.rs,line=12,title="), "{first}");
    assert_eq!(text.lines().count(), 2, "the leak and the regression, not the known one: {text}");
    assert!(
        text.lines().all(|line| line.starts_with("::error ")),
        "no name gives an order: {text}"
    );
}

#[test]
fn gitlab_has_a_fingerprint_for_each_issue() {
    let issues = json(Format::Gitlab);
    let issues = issues.as_array().unwrap();
    assert_eq!(issues.len(), 2);
    assert_eq!(issues[0]["location"]["path"], "src/a cache.rs");
    assert_eq!(issues[0]["location"]["lines"]["begin"], 12);
    assert_ne!(issues[0]["fingerprint"], issues[1]["fingerprint"]);
}

#[test]
fn gitlab_keeps_call_sites_that_look_the_same() {
    let mut run = a_run();
    for check in run.tests.iter_mut().filter_map(|test| test.check.as_mut()) {
        check.sites.extend(check.sites.clone());
    }
    let mut bytes = Vec::new();
    gitlab::render(&run, &mut bytes).unwrap();
    let issues: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let issues = issues.as_array().unwrap();
    let fingerprints: std::collections::BTreeSet<_> =
        issues.iter().map(|issue| issue["fingerprint"].as_str().unwrap()).collect();
    assert_eq!((issues.len(), fingerprints.len()), (4, 4));
}

#[test]
fn the_page_on_runs_names_every_field() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/run-schema.md");
    let page = std::fs::read_to_string(page).unwrap();
    let run = json(Format::Json);
    let test = run["tests"].as_array().unwrap().iter().find(|test| test["check"].is_object());
    let check = &test.unwrap()["check"];
    for object in [&run, &run["meta"], test.unwrap(), check, &check["sites"][0]] {
        for name in object.as_object().unwrap().keys() {
            assert!(page.contains(&format!("`{name}`")), "{name}");
        }
    }
}
