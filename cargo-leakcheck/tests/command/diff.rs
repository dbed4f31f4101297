//! `cargo leakcheck diff`.

use crate::support::exit::{CLEAN, INCOMPLETE, LEAKS, UNUSABLE};
use crate::support::shop::visit;
use crate::support::{Folder, run};

#[test]
fn two_runs_are_compared() {
    let folder = Folder::new();
    for (name, words) in [("a.json", ""), ("b.json", "leak,peak")] {
        let report = format!("--report={}", folder.path().join(name).display());
        visit(words, &["-p", "cart", "--lib", "--warn-only", &report]).ends_with(CLEAN);
    }
    let diff = |before, after| run(folder.path(), &["diff", before, after]);
    let said = diff("a.json", "b.json").ends_with(LEAKS);
    assert!(
        said.stdout.contains("new leak  3.00 MiB  cart::tests::may_leak  cart::keep"),
        "{}",
        said.stdout
    );
    assert!(
        said.stdout.contains("worse     cart::tests::may_leak  net growth 0 B → 3.00 MiB"),
        "{}",
        said.stdout
    );
    let said = diff("b.json", "a.json").ends_with(CLEAN);
    assert!(said.stdout.contains("gone      3.00 MiB"), "{}", said.stdout);
    let said = diff("a.json", "a.json").ends_with(CLEAN);
    assert!(said.stdout.contains("no differences"), "{}", said.stdout);
    diff("a.json", "none.json").ends_with(UNUSABLE);

    let whole = folder.read("a.json");
    folder.write(
        "cut.json",
        whole.replace("\"problems\":[]", "\"problems\":[\"shard 2 of 2 is missing\"]"),
    );
    let said = diff("a.json", "cut.json").ends_with(INCOMPLETE);
    assert!(
        said.stderr.contains("`cut.json` is incomplete: shard 2 of 2 is missing"),
        "{}",
        said.stderr
    );
}
