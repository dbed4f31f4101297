//! `cargo leakcheck merge`.

use serde_json::Value;

use crate::support::exit::{CLEAN, INCOMPLETE, UNUSABLE};
use crate::support::shop::visit;
use crate::support::{Folder, run};

#[test]
fn shards_of_several_machines_become_one_run() {
    let folder = Folder::new();
    for shard in ["1", "2"] {
        let report = format!("--report={}", folder.path().join(format!("{shard}.json")).display());
        let part = format!("--partition=count:{shard}/2");
        let said = visit("leak", &[&part, &report, "--warn-only"]).ends_with(CLEAN);
        assert!(said.stdout.contains("passed"), "{}", said.stdout);
    }
    let merge = |args: &[&str]| run(folder.path(), &[&["merge"], args].concat());
    // Every shard has `--warn-only`, so the merged run does not fail either. Its leaks are listed.
    let said = merge(&["1.json", "2.json", "--report", "all.json"]).ends_with(CLEAN);
    assert!(said.row("cart::tests::may_leak").contains("leaked"), "{}", said.stdout);
    let all: Value = serde_json::from_str(&folder.read("all.json")).unwrap();
    assert_eq!(all["tests"].as_array().unwrap().len(), 11, "{}", said.stdout);

    let said = merge(&["1.json"]).ends_with(INCOMPLETE);
    assert!(said.stdout.contains("incomplete: shard 2 of 2 is missing"), "{}", said.stdout);
    let said = merge(&["1.json", "2.json", "2.json"]).ends_with(INCOMPLETE);
    assert!(said.stdout.contains("shard 2 of 2 appears 2 times"), "{}", said.stdout);
    let whole = folder.read("2.json");
    folder.write("cut.json", &whole[..whole.len() / 2]);
    let said = merge(&["1.json", "cut.json"]).ends_with(INCOMPLETE);
    assert!(said.stderr.contains("`cut.json` is cut off"), "{}", said.stderr);
    folder.write("newer.json", whole.replace("\"schema\":1,", "\"schema\":9,"));
    let said = merge(&["1.json", "newer.json"]).ends_with(UNUSABLE);
    assert!(said.stderr.contains("has schema 9"), "{}", said.stderr);
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    merge(&["1.json", "empty"]).ends_with(INCOMPLETE);
}
