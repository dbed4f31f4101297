//! `--history`.

use serde_json::Value;

use crate::support::Folder;
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
    folder.write("runs/999999999999-none.json", "{");
    visit("", &["-p", "cart", "--lib", &history]).ends_with(UNUSABLE);
}
