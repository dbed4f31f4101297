//! `--history`.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::Folder;
use crate::support::browser::{Browser, chromium};
use crate::support::exit::{CLEAN, UNUSABLE};
use crate::support::shop::visit;

#[test]
fn runs_are_kept_and_the_page_shows_them() {
    let folder = Folder::new();
    let history = format!("--history={}", folder.path().join("runs").display());
    let page = format!("--report={}", folder.path().join("page.html").display());
    for words in ["", "leak"] {
        visit(words, &["-p", "cart", "--lib", "--warn-only", &history, &page]).ends_with(CLEAN);
    }
    assert_eq!(std::fs::read_dir(folder.path().join("runs")).unwrap().count(), 2);
    let page_text = folder.read("page.html");
    let data = page_text.split("id=\"data\">").nth(1).unwrap().split("</script>").next().unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    let growth: Vec<i64> = data["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["tests"]["cart::tests::may_leak"][0].as_i64().unwrap())
        .collect();
    assert_eq!(growth, [0, 3 << 20], "the oldest first");
    let place = data["sources"]
        .as_object()
        .unwrap()
        .keys()
        .find(|place| place.starts_with("cart/src/lib.rs:3"));
    assert!(place.is_some(), "the lines around the allocation are there: {}", data["sources"]);
    look_at_the_page(&folder.path().join("page.html"));
    folder.write("runs/999999999999-none.json", "{");
    visit("", &["-p", "cart", "--lib", &history]).ends_with(UNUSABLE);
}

fn look_at_the_page(page: &Path) {
    let Some(chromium) = chromium() else { return };
    let mut browser = Browser::open(chromium, page, (1280, 900));
    assert!(browser.text("tr.test a").ends_with("tests::may_leak"));
    browser.click("tr.test a");
    browser.wait("!document.querySelector('#detail').hidden");
    let charts = browser.value(
        "[...document.querySelectorAll('#detail figure')].filter((figure) => figure.querySelector('svg')).map((figure) => \
         [figure.innerText.split('\\n')[0], ...[...figure.querySelectorAll('circle title')].map((title) => \
         title.textContent.split(' · ')[0])])",
    );
    let charts = charts.as_array().unwrap();
    assert!(charts.contains(&json!(["Net growth", "0 B", "3.00 MiB"])), "{charts:?}");
    assert!(browser.text("#detail").contains("Over the last 2 runs"));
    browser.value("document.querySelector('details.site').open = true");
    browser.wait("document.querySelector('details.site pre.source .here') !== null");
    let line = browser.text("details.site pre.source .here");
    assert!(
        line.contains("3  ") && line.contains("std::mem::forget(vec![0_u8; bytes]);"),
        "{line}"
    );
    assert_eq!(browser.complaints, Vec::<String>::new());
}
