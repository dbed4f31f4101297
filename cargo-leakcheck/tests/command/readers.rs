//! Opens reports with the tools they are for.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::browser::{Browser, chromium};
use crate::support::readers::{program, reader};
use crate::support::{Folder, run, synthetic};

/// A name with all characters that separate names in the formats.
const ODD: &str = "tests::<A as B>::odd; \"name\" \u{2028}]]> &amp; </script> ü 7";

/// The same name after its target.
const ID: &str = "app::tests::<A as B>::odd; \"name\" \u{2028}]]> &amp; </script> ü 7";

/// The bytes of a call site without a stack.
const UNKNOWN: u64 = 100;

/// A run with call sites that look the same, with some that have no stack, and with an unusual name.
fn a_run() -> Value {
    let mut run = synthetic::run(6, 4);
    run["tests"][0]["name"] = json!(ODD);
    run["tests"][3]["status"] = json!("skipped");
    run["tests"][4]["status"] = json!("ignored");
    run["problems"] = json!(["shard 2 of 2 is missing"]);
    let sites = |run: &mut Value, test: usize, more: &[Value]| {
        let sites = run["tests"][test]["check"]["sites"].as_array_mut().unwrap();
        sites.extend(more.iter().cloned());
    };
    let same = run["tests"][1]["check"]["sites"][0].clone();
    sites(&mut run, 1, &[same.clone(), same]);
    let none =
        json!({ "bytes": UNKNOWN, "blocks": 1, "stack": 0, "fingerprint": "00000000000000ff" });
    sites(&mut run, 2, &[none.clone(), none]);
    run
}

/// The run in a format.
fn report(name: &str) -> (Folder, PathBuf) {
    let folder = Folder::new();
    folder.write("run.json", a_run().to_string());
    let args = ["merge", "run.json", "--warn-only", "--report", name];
    run(folder.path(), &args).ends_with(7);
    let path = folder.path().join(name);
    (folder, path)
}

/// Bytes or blocks of a test of the run.
fn of_test(test: usize, field: &str) -> u64 {
    let run = a_run();
    let sites = run["tests"][test]["check"]["sites"].as_array().unwrap();
    sites.iter().map(|site| site[field].as_u64().unwrap()).sum()
}

fn of_all(field: &str) -> u64 {
    (0..6).map(|test| of_test(test, field)).sum()
}

fn of_site(test: usize, site: usize) -> u64 {
    a_run()["tests"][test]["check"]["sites"][site]["bytes"].as_u64().unwrap()
}

fn kilobytes(bytes: u64) -> String {
    format!("{:.2} KB", bytes as f64 / 1024.0)
}

fn thousands(number: u64) -> String {
    format!("{},{:03}", number / 1000, number % 1000)
}

#[track_caller]
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn jenkins_accepts_the_junit_report() {
    let (Some(xmllint), Some(schema)) = (program("xmllint"), reader("junit-10.xsd")) else {
        return;
    };
    let (_folder, path) = report("junit.xml");
    said(Command::new(xmllint).arg("--noout").arg("--schema").arg(schema).arg(&path));
}

/// The numbers at the start of the line that ends with a name.
#[track_caller]
fn numbers(text: &str, name: &str) -> Vec<String> {
    let line = text.lines().find(|line| line.ends_with(&format!("  {name}")));
    let line = line.unwrap_or_else(|| panic!("no `{name}` in:\n{text}"));
    let is_number = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
    line.split_whitespace().take_while(is_number).map(str::to_owned).collect()
}

#[test]
fn pprof_shows_every_test_with_what_it_retains() {
    let Some(pprof) = reader("pprof") else { return };
    let (folder, path) = report("run.pb.gz");
    let pprof =
        |args: &[&str]| said(Command::new(&pprof).args(args).arg(&path).env("HOME", folder.path()));
    let top = pprof(&["-top", "-unit=B"]);
    assert!(top.starts_with("Type: inuse_space\n"), "bytes unless asked otherwise: {top}");
    let all = of_all("bytes");
    assert!(top.contains(&format!("accounting for {all}B, 100% of {all}B total")), "{top}");
    let push = format!("{}B", all - 2 * UNKNOWN);
    let [flat, _, _, cumulated, _] = &numbers(&top, "alloc::vec::Vec<T,A>::push")[..] else {
        panic!("{top}")
    };
    assert_eq!((flat, cumulated), (&push, &push));
    assert_eq!(numbers(&top, ID)[3], format!("{}B", of_test(0, "bytes")), "names are whole: {top}");
    let unknown = numbers(&top, "app::tests::test_0002");
    assert_eq!(unknown[0], format!("{}B", 2 * UNKNOWN), "what has no stack is the test's: {top}");

    let blocks = pprof(&["-top", "-sample_index=inuse_objects"]);
    assert_eq!(numbers(&blocks, ID)[3], of_test(0, "blocks").to_string(), "{blocks}");
    let tags = pprof(&["-tags", "-unit=B"]);
    let tag =
        format!("{:.1}B (26.39%): app/tests/api::tests::test_0001", of_test(1, "bytes") as f64);
    assert!(tags.contains(&tag), "tests can be chosen by `-tagfocus`: {tags}");
    let raw = pprof(&["-raw"]);
    assert!(raw.contains("app::module_2::helper_44 src/module_2.rs:54"), "{raw}");
    let one = pprof(&["-top", "-unit=B", "-tagfocus=test=app::tests::test_0004"]);
    assert!(one.contains(&format!("accounting for {}B", of_test(4, "bytes"))), "{one}");
}

#[test]
fn speedscope_shows_every_test_with_what_it_retains() {
    let (Some(page), Some(chromium)) = (reader("speedscope/index.html"), chromium()) else {
        return;
    };
    for (name, title, shown) in [
        ("run.speedscope.json", "all tests (1/2)", kilobytes as fn(u64) -> String),
        // speedscope reads these formats too. The last one has no unit.
        ("run.pb.gz", "run.pb.gz", kilobytes),
        ("run.folded", "run.folded", thousands),
    ] {
        let (_folder, path) = report(name);
        // High enough for all rows of its table to be in view, because others are not in the page.
        let mut browser = Browser::open_drawing(chromium, &page, (1280, 2400));
        browser.choose("input[type=file]", &path);
        browser.wait("document.body.innerText.includes('Sandwich')");
        browser.picture(name);
        assert!(browser.text("body").contains(title), "{}", browser.text("body"));
        browser.press("3");
        browser.wait("document.querySelectorAll('tr td').length > 9");
        let rows = browser.value(
            "[...document.querySelectorAll('tr')].map((row) => [...row.querySelectorAll('td')].map((cell) => \
             cell.textContent.trim().replace(/ \\(.*%\\)$/, '')))",
        );
        let of = |name: &str| {
            let mut all = rows.as_array().unwrap().iter();
            let row = all.find(|row| row[2] == name).unwrap_or_else(|| panic!("{name}: {rows:#?}"));
            (row[0].as_str().unwrap().to_owned(), row[1].as_str().unwrap().to_owned())
        };
        let push = shown(of_all("bytes") - 2 * UNKNOWN);
        assert_eq!(of("alloc::vec::Vec<T,A>::push"), (push.clone(), push), "{name}");
        let (total, own) = of("app::tests::test_0002");
        assert_eq!(total, shown(of_test(2, "bytes")), "{name}");
        assert_eq!(own.trim_end_matches(" B"), (2 * UNKNOWN).to_string(), "{name}");
        // Folded stacks cannot contain the characters that separate names.
        let id =
            if name == "run.folded" { ID.replace([';', '\u{2028}'], "_") } else { ID.to_owned() };
        assert_eq!(of(&id).0, shown(of_test(0, "bytes")), "{name}");
        assert_eq!(browser.complaints, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn the_speedscope_file_matches_its_schema() {
    let Some(schema) = reader("speedscope/file-format-schema.json") else { return };
    let json =
        |path: &Path| -> Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
    let (_folder, path) = report("run.speedscope.json");
    let mut schemas = boon::Schemas::new();
    let schema = boon::Compiler::new().compile(schema.to_str().unwrap(), &mut schemas).unwrap();
    let file = json(&path);
    let mistake = schemas.validate(&file, schema).err();
    assert!(mistake.is_none(), "{:#}", mistake.unwrap());
}

#[test]
fn dhats_viewer_shows_every_test_with_what_it_retains() {
    let (Some(page), Some(chromium)) = (reader("dh_view.html"), chromium()) else { return };
    let (_folder, path) = report("run.dhat.json");
    let mut browser = Browser::open(chromium, &page, (1280, 900));
    browser.choose("input[type=file]", &path);
    browser.wait("document.body.innerText.includes('Processing time')");
    browser.picture("dhat");
    let text = browser.text("body");
    assert!(text.contains("Command: cargo leakcheck (cargo test)"), "{text}");
    let of_all = format!("{} bytes (100%", thousands(of_all("bytes")));
    assert!(text.contains(&of_all), "{of_all}: {text}");
    let push = "^1: alloc::vec::Vec<T,A>::push (library/alloc/src/vec/mod.rs:2000)";
    assert!(text.contains(push), "{text}");
    assert!(text.contains(&format!(": test {ID}")), "{text}");
    let same = thousands(3 * of_site(1, 0));
    let point = text.split("PP ").find(|point| point.contains(&same));
    let point = point.unwrap_or_else(|| panic!("{same}: {text}"));
    assert!(
        point.contains("test app/tests/api::tests::test_0001"),
        "what looks the same is one: {point}"
    );
    assert_eq!(browser.complaints, Vec::<String>::new());
}

#[test]
fn inferno_draws_every_test_with_what_it_retains() {
    let (_folder, path) = report("run.folded");
    let folded = std::fs::read_to_string(path).unwrap();
    let mut options = inferno::flamegraph::Options::default();
    options.count_name = "bytes".to_owned();
    let mut picture = Vec::new();
    inferno::flamegraph::from_lines(&mut options, folded.lines(), &mut picture).unwrap();
    let picture = String::from_utf8(picture).unwrap();
    let all = of_all("bytes");
    assert!(picture.contains(&format!("<title>all ({} bytes, 100%)</title>", thousands(all))));
    let id = ID.replace([';', '\u{2028}'], "_");
    let id =
        id.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let part = 100.0 * of_test(0, "bytes") as f64 / all as f64;
    let title =
        format!("<title>{id} ({} bytes, {part:.2}%)</title>", thousands(of_test(0, "bytes")));
    assert!(picture.contains(&title), "{title}: {picture}");
}
