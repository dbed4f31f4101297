//! Live bytes over time: requested, collected, and drawn.

use serde_json::{Value, json};

use crate::support::browser::{Browser, chromium};
use crate::support::exit::{CLEAN, LEAKS, UNUSABLE};
use crate::support::project::Project;
use crate::support::{Folder, Said, run, synthetic};

const TESTS: &str = r#"
#[cfg(test)]
mod tests {
    #[leakcheck::leak_check]
    #[test]
    fn passes() { drop(vec![1_u8; 3 << 20]); }

    #[leakcheck::leak_check]
    #[test]
    fn leaks() { std::mem::forget(vec![1_u8; 2 << 20]); }

    #[leakcheck::leak_check(skip = "of no interest")]
    #[test]
    fn is_skipped() {}
}
"#;

/// The run that the command has written in a project.
fn run_of(project: &Project) -> Value {
    serde_json::from_str(&project.folder().read("run.json")).unwrap()
}

/// A test of a run.
fn of<'a>(run: &'a Value, test: &str, what: &str) -> &'a Value {
    let tests = run["tests"].as_array().unwrap();
    let test = tests.iter().find(|found| found["name"] == format!("tests::{test}")).unwrap();
    &test["check"]["more"][what]
}

#[test]
fn live_bytes_of_every_test_are_recorded_only_on_request() {
    let app = Project::app("", TESTS);
    app.run(&["--report", "run.json", "--timeline"]).ends_with(LEAKS);
    let run = run_of(&app);
    for (test, peak, end) in [("passes", 3 << 20, 0), ("leaks", 2 << 20, 2 << 20)] {
        let bytes = of(&run, test, "timeline")["bytes"].as_array().unwrap();
        let most = bytes.iter().filter_map(Value::as_u64).max().unwrap();
        assert!(most >= peak, "`{test}`: {bytes:?}");
        assert_eq!(bytes.last().unwrap(), end, "`{test}`");
    }
    assert!(of(&run, "is_skipped", "timeline").is_null());

    app.run(&["--report", "run.json"]).ends_with(LEAKS);
    assert!(of(&run_of(&app), "leaks", "timeline").is_null());
}

#[test]
fn a_flag_a_variable_or_the_manifest_requests_timelines() {
    let app = Project::app("[workspace.metadata.leakcheck]\ntimeline = true\n", "");
    let line = |args: &[&str], variable: Option<&str>| {
        let mut command = app.command(args);
        command.envs(variable.map(|value| ("LEAK_TIMELINE", value)));
        let said = Said::of(command.output().unwrap()).ends_with(CLEAN);
        let line = said.stdout.lines().find(|line| line.starts_with("timeline "));
        line.unwrap().split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    let place = "Cargo.toml [workspace.metadata.leakcheck] timeline";
    assert_eq!(line(&["config"], None), format!("true {place}"));
    assert_eq!(line(&["config"], Some("off")), "false LEAK_TIMELINE");
    assert_eq!(line(&["config", "--timeline"], Some("off")), "true --timeline");
    let plain = Project::app("", "").run(&["config"]).ends_with(CLEAN);
    let is_off = |line: &str| line.starts_with("timeline ") && line.ends_with("default");
    assert!(plain.stdout.lines().any(is_off), "{}", plain.stdout);

    let output = app.command(&["config"]).env("LEAK_TIMELINE", "5 ms").output().unwrap();
    let said = Said::of(output).ends_with(UNUSABLE);
    let mistake = "`LEAK_TIMELINE` is `5 ms`, expected `on` or `off`";
    assert!(said.stderr.contains(mistake), "{}", said.stderr);
    let wrong = Project::app("[workspace.metadata.leakcheck]\ntimeline = \"on\"\n", "");
    let said = wrong.run(&["config"]).ends_with(UNUSABLE);
    assert!(said.stderr.contains("`timeline`: invalid type: string \"on\""), "{}", said.stderr);
}

/// Rises to 12 MB within 3 seconds, and falls to 4 MB.
fn rises_and_falls() -> Value {
    let bytes = |at: u64| match at {
        0..=300 => ((12 << 20) * at / 300).saturating_sub(at % 20 * 15_000),
        _ => (4 << 20) + (500 - at) * 20_000,
    };
    let ms: Vec<f64> = (0..=500).map(|at| at as f64 * 10.0).collect();
    json!({ "interval_ms": 10, "ms": ms, "bytes": (0..=500).map(bytes).collect::<Vec<_>>() })
}

/// The page of a run in which one test has a timeline, one has none, and one could not be recorded.
fn page() -> (Folder, std::path::PathBuf) {
    let mut of = synthetic::run(4, 3);
    let check = &mut of["tests"][0]["check"];
    check["more"] = json!({ "timeline": rises_and_falls() });
    check["limits"]["bytes"] =
        json!({ "value": 5 << 20, "source": { "is": "argument", "name": "threshold_mb" } });
    check["limits"]["peak_bytes"] =
        json!({ "value": 10 << 20, "source": { "is": "argument", "name": "peak_mb" } });
    of["tests"][0]["seconds"] = json!(4.5);
    of["tests"][2]["check"]["more"] = json!({ "timeline_unknown": "<b>no threads</b> are left" });
    let short = json!({ "interval_ms": 5, "ms": [0.0, 0.25, 0.25], "bytes": [0, 700, 0] });
    of["tests"][3]["check"]["more"] = json!({ "timeline": short });
    let folder = Folder::new();
    folder.write("run.json", of.to_string());
    run(folder.path(), &["merge", "run.json", "--report", "page.html", "--warn-only"]).ends_with(0);
    let path = folder.path().join("page.html");
    (folder, path)
}

/// Opens the page of a test of the synthetic run.
fn look_at(browser: &mut Browser, test: &str) {
    browser.value("location.hash = ''");
    browser.wait("document.querySelector('#detail').hidden");
    let link = format!(
        "[...document.querySelectorAll('tr.test a')].find((a) => a.textContent.endsWith('{test}'))"
    );
    browser.value(&format!("{link}.click()"));
    browser.wait("!document.querySelector('#detail').hidden");
    assert_eq!(browser.text("#detail h2"), format!("tests::{test}"));
}

#[test]
fn the_page_draws_live_bytes_over_time_and_describes_them_in_words() {
    let Some(chromium) = chromium() else { return };
    let (_folder, path) = page();
    let mut browser = Browser::open(chromium, &path, (1280, 900));
    browser.prefer("light");
    look_at(&mut browser, "test_0000");
    assert!(browser.text("#detail").contains("Live bytes over time"));
    let words = browser.text(".timeline figcaption");
    for part in [
        "to 4.00 MiB after 5.00 s, with a peak of 12.0 MiB after 3.00 s",
        "5.00 MiB (threshold_mb)",
        "10.0 MiB (peak_mb)",
        "501 readings, every 10 ms",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    let drawing = "document.querySelector('.timeline svg')";
    assert_eq!(browser.value(&format!("{drawing}.getAttribute('role')")), "img");
    let described =
        format!("document.getElementById({drawing}.getAttribute('aria-describedby')).textContent");
    assert_eq!(browser.value(&described), json!(words), "readers of the screen hear the words");
    let points =
        format!("{drawing}.querySelector('polyline').getAttribute('points').split(' ').length");
    assert_eq!(browser.value(&points), 501);
    let texts = browser
        .value(&format!("[...{drawing}.querySelectorAll('text')].map((text) => text.textContent)"));
    for label in [
        "peak 12.0 MiB",
        "limit 5.00 MiB",
        "peak limit 10.0 MiB",
        "10 MiB",
        "0 B",
        "time in s",
        "4",
        "end of the body",
    ] {
        assert!(texts.as_array().unwrap().contains(&json!(label)), "{label}: {texts}");
    }
    // The mark is on the highest point of the curve, and the limit is a horizontal line.
    let highest = "Math.min(...document.querySelector('.timeline polyline').getAttribute('points').split(' ').map((p) => Number(p.split(',')[1])))";
    let mark = format!(
        "Math.abs(Number({drawing}.querySelector('circle.peak').getAttribute('cy')) - {highest}) < 0.1"
    );
    assert_eq!(browser.value(&mark), true);
    let level = format!(
        "{drawing}.querySelector('line.limit').getAttribute('y1') === {drawing}.querySelector('line.limit').getAttribute('y2')"
    );
    assert_eq!(browser.value(&level), true);

    browser.value("document.querySelector('.timeline input').focus()");
    assert_eq!(browser.text(".timeline output"), "3.00 s: 12.0 MiB");
    browser.press("ArrowRight");
    browser
        .wait("document.querySelector('.timeline output').textContent.startsWith('3.01 s: 7.8')");
    let said = "document.querySelector('.timeline input').getAttribute('aria-valuetext') === document.querySelector('.timeline output').textContent";
    assert_eq!(browser.value(said), true);
    browser.press("End");
    browser.wait("document.querySelector('.timeline output').textContent === '5.00 s: 4.00 MiB'");
    browser.picture("timeline");
    browser.prefer("dark");
    browser.wait("getComputedStyle(document.body).backgroundColor === 'rgb(20, 23, 28)'");
    browser.picture("timeline-dark");
    look_at(&mut browser, "test_0003");
    assert!(browser.text(".timeline figcaption").contains("with a peak of 700 B after 250 µs"));
    browser.picture("timeline-short");
    assert_eq!(browser.complaints, Vec::<String>::new());
}

#[test]
fn a_missing_timeline_is_explained_if_it_was_requested() {
    let Some(chromium) = chromium() else { return };
    let (_folder, path) = page();
    let mut browser = Browser::open(chromium, &path, (1280, 900));
    look_at(&mut browser, "test_0001");
    assert!(!browser.text("#detail").to_lowercase().contains("over time"));
    assert_eq!(browser.value("document.querySelectorAll('.timeline').length"), 0);
    look_at(&mut browser, "test_0002");
    assert!(browser.text("#detail").contains("Not recorded: <b>no threads</b> are left"));
    assert!(!browser.text("#detail").contains("timeline unknown"));
    assert_eq!(browser.complaints, Vec::<String>::new());
}

#[test]
fn a_timeline_is_readable_on_a_phone() {
    let Some(chromium) = chromium() else { return };
    let (_folder, path) = page();
    let mut browser = Browser::open(chromium, &path, (360, 740));
    look_at(&mut browser, "test_0000");
    assert_eq!(browser.value("document.documentElement.scrollWidth > 360"), false);
    let widest = "Math.max(...[...document.querySelectorAll('.timeline *')].map((e) => e.getBoundingClientRect().right))";
    let widest = browser.value(widest).as_f64().unwrap();
    assert!(widest <= 360.5, "{widest}");
    // Text is not scaled down with the drawing.
    let height = "document.querySelector('.timeline text').getBoundingClientRect().height";
    let height = browser.value(height).as_f64().unwrap();
    assert!(height >= 11.0, "{height}");
    browser.value("document.querySelector('.timeline').scrollIntoView()");
    browser.picture("timeline-telephone");
    assert_eq!(browser.complaints, Vec::<String>::new());
}
