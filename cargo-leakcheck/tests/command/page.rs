//! The page in a browser, with clicks, keys and searches.

use std::path::PathBuf;

use crate::support::browser::{Browser, chromium};
use crate::support::{Folder, run, synthetic};
use serde_json::{Value, json};

/// The page of a run, and the directory that contains it.
fn page(run_of: &Value) -> (Folder, PathBuf) {
    let folder = Folder::new();
    folder.write("run.json", run_of.to_string());
    let said = run(folder.path(), &["merge", "run.json", "--report", "page.html", "--warn-only"]);
    let said = said.ends_with(0);
    assert!(said.stdout.contains("html: page.html"), "{}", said.stdout);
    let path = folder.path().join("page.html");
    (folder, path)
}

#[track_caller]
fn is_content(browser: &Browser) {
    assert_eq!(browser.complaints, Vec::<String>::new(), "no errors, no requests");
}

#[test]
fn a_reader_can_sort_search_and_zoom() {
    let Some(chromium) = chromium() else { return };
    let (_folder, path) = page(&synthetic::run(60, 12));
    let mut browser = Browser::open(chromium, &path, (1280, 900));
    assert_eq!(browser.text("#count"), "60 tests");
    let first = |browser: &mut Browser| browser.text("tr.test a");
    assert_eq!(
        first(&mut browser),
        "app/tests/api::tests::test_0057",
        "leaks first, the largest first"
    );
    browser.picture("table");

    browser.click("[data-sort=growth]");
    assert_eq!(first(&mut browser), "app/tests/api::tests::test_0059");
    browser.click("[data-sort=growth]");
    assert_eq!(first(&mut browser), "app::tests::test_0000");
    assert_eq!(
        browser.value("document.querySelector('th[aria-sort=ascending]').innerText"),
        "Net growth ▲"
    );

    browser.click("#search");
    browser.write("test_0042");
    assert_eq!(browser.text("#count"), "1 of 60 tests");
    assert_eq!(first(&mut browser), "app::tests::test_0042");
    browser.value("document.querySelector('#search').select()");
    browser.write("MODULE_3");
    let count = browser.text("#count");
    assert!(
        count.ends_with(" of 60 tests") || count == "60 tests",
        "functions are searched: {count}"
    );
    browser.value("document.querySelector('#search').select()");
    browser.write("no such test");
    assert_eq!(browser.text("#count"), "0 of 60 tests");
    browser.value("document.querySelector('#search').select()");
    browser.write(" ");

    browser.click("[data-verdict=passed]");
    assert_eq!(browser.text("#count"), "20 of 60 tests");

    browser.click("tr.test a");
    browser.wait("!document.querySelector('#detail').hidden");
    assert_eq!(browser.text("#detail h2"), "tests::test_0000");
    assert!(
        browser.text("#detail").contains("leaked 78.0 KiB (79,872 bytes), limit 0 B"),
        "{}",
        browser.text("#detail")
    );
    browser.picture("test");
    let sites = browser.value("document.querySelectorAll('details.site').length");
    assert_eq!(sites, 12);
    browser.click("details.site:nth-of-type(2) > summary");
    let stack = "document.querySelectorAll('details.site')[1].querySelectorAll('li').length";
    browser.wait(&format!("{stack} === 7"));

    // The test has its share of the width. After a click it has the full width.
    let widths = "[...document.querySelectorAll('.icicle [data-level=\"2\"]')].map((b) => parseFloat(b.style.width))";
    let sum: f64 =
        browser.value(widths).as_array().unwrap().iter().map(|w| w.as_f64().unwrap()).sum();
    assert!((sum - 100.0).abs() < 0.5, "{sum}");
    browser.click(".icicle [data-level='2']");
    browser.wait("document.querySelector('.icicle [data-level=\"2\"]').style.width === '100%'");
    browser.click(".icicle [data-level='0']");
    browser.click(".bar input");
    browser.wait(
        "[...document.querySelectorAll('.icicle button')].some((b) => b.className === 'std')",
    );
    browser.picture("icicle");

    browser.press("Escape");
    browser.wait("document.querySelector('#detail').hidden");
    assert_eq!(browser.text("#count"), "20 of 60 tests", "the list is as it was left");
    is_content(&browser);
}

#[test]
fn everything_works_with_the_keyboard() {
    let Some(chromium) = chromium() else { return };
    let (_folder, path) = page(&synthetic::run(30, 6));
    let mut browser = Browser::open(chromium, &path, (1280, 900));
    browser.press("/");
    browser.wait("document.activeElement.id === 'search'");
    browser.write("test_0003");
    browser.wait("document.querySelectorAll('tr.test').length === 1");
    for _ in 0..30 {
        if browser.value("document.activeElement.closest('tr.test') !== null") == true {
            break;
        }
        browser.press("Tab");
    }
    browser.press("Enter");
    browser.wait("!document.querySelector('#detail').hidden");
    assert_eq!(browser.text("#detail h2"), "tests::test_0003");
    browser.value("document.querySelector('.icicle [data-level=\"0\"]').focus()");
    browser.press("ArrowDown");
    browser.press("ArrowDown");
    browser.wait("document.activeElement.dataset.level === '2'");
    let told = browser.text(".told");
    assert!(told.contains("app::module_") && told.contains('%'), "{told}");
    browser.press("Enter");
    browser.wait("document.activeElement.dataset.level === '2' && document.activeElement.style.width === '100%'");
    browser.press("ArrowUp");
    browser.wait("document.activeElement.dataset.level === '1'");
    browser.press("Escape");
    browser.wait("document.querySelector('#detail').hidden");
    is_content(&browser);
}

#[test]
fn the_page_is_dark_if_the_system_is_or_the_reader_chooses_so() {
    let Some(chromium) = chromium() else { return };
    let (_folder, path) = page(&synthetic::run(20, 4));
    let mut browser = Browser::open(chromium, &path, (1280, 900));
    let back = "getComputedStyle(document.body).backgroundColor";
    browser.prefer("light");
    browser.wait(&format!("{back} === 'rgb(255, 255, 255)'"));
    browser.prefer("dark");
    browser.wait(&format!("{back} === 'rgb(20, 23, 28)'"));
    browser.picture("dark");
    browser.click("tr.test a");
    browser.wait("!document.querySelector('#detail').hidden");
    browser.picture("dark-test");
    browser.click("#theme");
    browser.wait(&format!("{back} === 'rgb(255, 255, 255)'"));
    is_content(&browser);
}

#[test]
fn everything_fits_on_a_phone() {
    let Some(chromium) = chromium() else { return };
    let mut wide = synthetic::run(40, 8);
    wide["tests"][0]["name"] = json!(format!("tests::{}", "a_very_long_name_".repeat(12)));
    let (_folder, path) = page(&wide);
    let mut browser = Browser::open(chromium, &path, (360, 740));
    let too_wide = "document.documentElement.scrollWidth > 360";
    assert_eq!(browser.value(too_wide), false);
    assert_eq!(browser.value("document.querySelectorAll('tr.test').length > 10"), true);
    let name = "document.querySelector('tr.test a').getBoundingClientRect().width > 300";
    assert_eq!(browser.value(name), true, "a name has the whole width");
    browser.picture("telephone");
    browser.click("tr.test a");
    browser.wait("!document.querySelector('#detail').hidden");
    let widest = "Math.max(...[...document.querySelectorAll('#detail *')].filter((e) => !e.closest('pre')).map((e) => \
                  e.getBoundingClientRect().right))";
    let widest = browser.value(widest).as_f64().unwrap();
    assert!(widest <= 360.5, "{widest}");
    assert_eq!(browser.value(too_wide), false);
    browser.picture("telephone-test");
    is_content(&browser);
}

#[test]
fn a_hostile_name_runs_no_script() {
    let Some(chromium) = chromium() else { return };
    let hostile = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>\
                   <!--<script>javascript:window.hacked=1\u{2028}%DATA%%SCRIPT%";
    let mut run = synthetic::run(3, 3);
    run["tests"][0]["name"] = json!(hostile);
    run["tests"][0]["target"] = json!(hostile);
    run["tests"][0]["why"] = json!(hostile);
    run["tests"][0]["check"]["limits"]["bytes"]["source"] =
        json!({ "is": "setting", "name": hostile });
    run["tests"][0]["check"]["threads"] = json!([{ "name": hostile, "stack": 1 }]);
    run["tests"][0]["check"]["allowed"] = json!([{ "why": hostile, "bytes": 1, "blocks": 1 }]);
    run["tests"][0]["check"]["suppressed"] = json!([{ "rule": hostile, "why": hostile, "bytes": 1, "blocks": 1, "released": { "bytes": 0, "blocks": 0 } }]);
    run["tests"][0]["check"]["sites"][0]["holders"] =
        json!([synthetic::holder("held_by_static", hostile)]);
    run["tests"][0]["check"]["sites"][0]["growth"] = json!({
        "class": "leak", "bytes": [1, 2, 4], "blocks": [1, 2, 4], "bytes_per_call": 1.0, "blocks_per_call": 1.0,
        "advice": hostile, "severity": "low",
    });
    run["tests"][0]["check"]["more"] = json!({ "fds": [{ "number": 3, "target": hostile, "opened_at": [{ "function": hostile, "file": hostile, "class": "user" }] }] });
    run["problems"] = json!([hostile]);
    run["meta"]["commit"] = json!(hostile);
    run["meta"]["commit_subject"] = json!(hostile);
    for frame in run["frames"].as_array_mut().unwrap() {
        frame["function"] = json!(hostile);
        frame["file"] = json!(hostile);
    }
    let folder = Folder::new();
    folder.write("run.json", run.to_string());
    crate::support::run(folder.path(), &["merge", "run.json", "--report", "page.html"])
        .ends_with(7);
    let page = folder.path().join("page.html");
    let mut browser = Browser::open(chromium, &page, (1280, 900));
    let seen = "document.querySelector('tr.test a').textContent";
    assert_eq!(browser.value(seen).as_str().unwrap(), format!("{hostile}::{hostile}"));
    browser.click("tr.test a");
    browser.wait("!document.querySelector('#detail').hidden");
    assert!(browser.text("#detail h2").contains("<img src=x"), "it is shown as it is");
    browser.value("document.querySelectorAll('details').forEach((d) => { d.open = true; })");
    browser
        .wait("[...document.querySelectorAll('details.site')].every((d) => d.children.length > 1)");
    browser.picture("hostile");
    assert_eq!(browser.value("window.hacked === undefined"), true);
    assert_eq!(browser.value("document.querySelectorAll('img').length"), 0);
    assert_eq!(browser.value("document.querySelectorAll('script').length"), 2);
    is_content(&browser);
}

#[test]
fn five_thousand_tests_open_quickly() {
    let Some(chromium) = chromium() else { return };
    let (_folder, path) = page(&synthetic::run(5_000, 12));
    let mut browser = Browser::open(chromium, &path, (1280, 900));
    browser.wait("document.querySelector('#count').textContent === '5,000 tests'");
    let rows = "document.querySelectorAll('tr.test').length";
    assert!(browser.value(rows).as_u64().unwrap() < 150, "only rows in view are made");
    browser.value("scrollTo(0, document.body.scrollHeight)");
    browser.wait(
        "[...document.querySelectorAll('tr.test')].at(-1).getAttribute('aria-rowindex') === '5001'",
    );
    assert!(browser.value(rows).as_u64().unwrap() < 150);
    browser.value("scrollTo(0, 0)");
    browser.click("#search");
    browser.write("test_4999");
    browser.wait("document.querySelector('#count').textContent === '1 of 5,000 tests'");
    browser.click("tr.test a");
    browser.wait("!document.querySelector('#detail').hidden");
    assert_eq!(browser.value("document.querySelectorAll('details.site').length"), 12);
    if std::env::var_os("PICTURES").is_some() {
        let time = browser.value("(() => { const t = performance.now(); document.querySelector('[data-sort=name]').click(); \
                                  return performance.now() - t; })()");
        eprintln!("sorting takes {time} ms");
    }
    is_content(&browser);
}
