//! The sections of the page of a test other than its call sites.

use serde_json::json;

use crate::support::browser::{Browser, chromium};
use crate::support::{Folder, run, synthetic};

#[test]
fn the_sections_of_a_test_are_sentences() {
    let Some(chromium) = chromium() else { return };
    let mut run_of = synthetic::run(3, 3);
    let check = &mut run_of["tests"][0]["check"];
    check["limits"]["fds"] = json!({ "value": 0, "source": { "is": "argument", "name": "fds" } });
    check["sites"][0]["holders"] = json!([
        synthetic::holder("held_by_static", "static app::CACHE → here"),
        synthetic::holder("lost_in_a_cycle", "in a cycle: Rc<Node> ⇄ Rc<Node>"),
    ]);
    check["more"] = json!({
        "decide": "LEAK_ITERATIONS=auto cargo test",
        "repetition": {
            "warmup": 2, "batches": [1, 2, 1024], "iterations": null, "stopped": "cap_of_calls",
            "sensitivity": { "bytes_per_call": 3.0, "every": 1, "still_growing": 0.0 },
            "bytes_per_call": 0.0, "resources": [],
        },
        "unjudged": [
            { "figure": "fds", "why": "other threads opened some too" },
            { "figure": "c_heap_bytes", "why": "known for a whole process only" },
        ],
        "fds": [{ "number": 3, "target": "/dev/null", "opened_at": [
            { "function": "app::open", "file": "src/a.rs", "line": 7, "class": "user" },
        ] }],
    });
    let folder = Folder::new();
    folder.write("run.json", run_of.to_string());
    run(folder.path(), &["merge", "run.json", "--report", "page.html", "--warn-only"]).ends_with(0);
    let mut browser = Browser::open(chromium, &folder.path().join("page.html"), (360, 900));
    browser.value("location.hash = '#/test/0'");
    browser.wait("!document.querySelector('#detail').hidden");
    let said = browser.text("#detail");
    for words in [
        "kept alive by static app::CACHE",
        "lost: in a cycle: Rc<Node>",
        "Repetition\n",
        "2 warm-up calls, then 1,027 calls in batches of 1, 2, 1,024. Would have seen a leak of 3 B per call.",
        "Not judged\n",
        "fds: other threads opened some too",
        "File descriptors left open\n",
        "number 3, target /dev/null",
    ] {
        assert!(said.contains(words), "no `{words}`: {said}");
    }
    assert!(!said.contains("whole process only"), "it has no limit: {said}");
    assert_eq!(browser.value("document.documentElement.scrollWidth <= 360"), true);
    assert_eq!(browser.complaints, Vec::<String>::new());
}
