//! The command in projects, as a user calls it.

mod support;

use serde_json::Value;
use support::project::{Project, shop};
use support::{Folder, Said};

const CLEAN: i32 = 0;
const LEAKS: i32 = 1;
const USAGE: i32 = 2;
const TESTS_FAILED: i32 = 3;
const BUILD_FAILED: i32 = 4;
const BLIND: i32 = 5;
const NOTHING_CHECKED: i32 = 6;
const INCOMPLETE: i32 = 7;
const UNUSABLE: i32 = 8;
const STALE_BASELINE: i32 = 9;

/// The command in the shop, whose tests do what the words say.
fn visit(words: &str, args: &[&str]) -> Said {
    Said::of(shop().command(args).env("SHOP", words).output().unwrap())
}

/// The same with the run as JSON.
fn visit_for_json(words: &str, args: &[&str], code: i32) -> (Said, Value) {
    let folder = Folder::new();
    let path = folder.path().join("run.json");
    let report = format!("--report={}", path.display());
    let (flags, libtest) =
        args.split_at(args.iter().position(|arg| *arg == "--").unwrap_or(args.len()));
    let args: Vec<&str> =
        flags.iter().copied().chain([report.as_str()]).chain(libtest.iter().copied()).collect();
    let said = visit(words, &args).ends_with(code);
    let run = serde_json::from_str(&folder.read("run.json")).unwrap();
    (said, run)
}

#[track_caller]
fn status(run: &Value, id: &str) -> String {
    let tests = run["tests"].as_array().unwrap();
    let is_it = |test: &&Value| {
        format!("{}::{}", test["target"].as_str().unwrap(), test["name"].as_str().unwrap()) == id
    };
    let test = tests.iter().find(is_it).unwrap_or_else(|| panic!("no `{id}` in {tests:#?}"));
    test["status"].as_str().unwrap().to_owned()
}

#[test]
fn a_clean_suite_has_a_row_for_every_test() {
    let (said, run) = visit_for_json("", &[], CLEAN);
    for (id, expected) in [
        ("cart::tests::is_clean", "passed"),
        ("cart::tests::may_leak", "passed"),
        ("cart/tests/api::is_an_integration_test", "passed"),
        ("till::tests::keeps_little", "passed"),
        ("till::tests::is_skipped", "skipped"),
        ("till::tests::is_ignored", "ignored"),
    ] {
        assert_eq!(status(&run, id), expected, "{id}");
        assert!(said.row(id).contains(expected), "{}", said.stdout);
    }
    assert!(said.stdout.contains("counts in the background"), "{}", said.stdout);
    assert!(said.row("till::tests::keeps_little").contains("1000 B"), "{}", said.stdout);
    assert!(said.stdout.contains("11 tests: 1 skipped, 1 ignored, 9 passed"), "{}", said.stdout);
}

#[test]
fn a_leak_is_the_first_row_with_the_line_that_allocates() {
    let (said, run) = visit_for_json("leak", &[], LEAKS);
    assert_eq!(status(&run, "cart::tests::may_leak"), "leaked");
    assert_eq!(status(&run, "cart/tests/api::is_an_integration_test"), "passed", "3 of 5 MB");
    let rows: Vec<&str> = said.stdout.lines().collect();
    assert!(rows[1].starts_with("cart::tests::may_leak"), "{}", said.stdout);
    assert!(
        rows[2].contains("3.00 MB") && rows[2].contains("cart::keep  cart/src/lib.rs:3"),
        "{}",
        said.stdout
    );
}

#[test]
fn an_attributes_leak_and_a_lines_leak_are_judged_alike() {
    let (_, run) = visit_for_json("leak,till", &[], LEAKS);
    assert_eq!(status(&run, "till::tests::has_a_limit_of_its_own"), "leaked");
    assert_eq!(status(&run, "cart::tests::may_leak"), "leaked");
}

#[test]
fn one_test_at_a_time_is_judged_alike() {
    let (_, run) =
        visit_for_json("leak", &["-p", "cart", "--lib", "--", "--test-threads=1"], LEAKS);
    assert_eq!(status(&run, "cart::tests::may_leak"), "leaked");
    assert_eq!(status(&run, "cart::tests::is_clean"), "passed");
    assert_eq!(run["tests"].as_array().unwrap().len(), 6, "only the library of cart: {run:#}");
}

#[test]
fn nextest_is_judged_alike() {
    let (said, run) = visit_for_json("leak,till,bad_name", &["--runner", "nextest"], LEAKS);
    // A check inside of one watches its own threads.
    assert_eq!(status(&run, "cart::tests::may_have_a_bad_name"), "passed", "{}", said.stdout);
    assert_eq!(status(&run, "till::tests::has_a_limit_of_its_own"), "leaked");
    assert_eq!(status(&run, "cart::tests::may_leak"), "leaked");
    assert_eq!(status(&run, "cart/tests/api::is_an_integration_test"), "passed");
    assert_eq!(run["meta"]["runner"], "cargo nextest", "{}", said.stdout);
}

#[test]
fn a_limit_on_the_command_line_is_every_tests() {
    let said = visit("", &["--threshold-mb", "0", "-p", "till"]).ends_with(LEAKS);
    assert!(said.row("tests::keeps_little").contains("leaked"), "{}", said.stdout);
    visit("leak,till", &["--threshold-mb", "100"]).ends_with(CLEAN);
    let said = visit("", &["--threshold-mb", "much"]).ends_with(USAGE);
    assert!(said.stderr.contains("expected a number of megabytes"), "{}", said.stderr);
}

#[test]
fn leaks_can_be_told_without_failing() {
    let said = visit("leak", &["--warn-only"]).ends_with(CLEAN);
    assert!(said.row("cart::tests::may_leak").contains("leaked"), "{}", said.stdout);
}

#[test]
fn tests_can_be_left_out_of_the_check() {
    let said = visit("leak", &["--skip", "*may_leak"]).ends_with(CLEAN);
    assert!(said.row("cart::tests::may_leak").contains("skipped"), "{}", said.stdout);
    assert!(said.stdout.contains("--skip has `*may_leak`"), "{}", said.stdout);
}

#[test]
fn a_failing_test_fails_as_itself() {
    let (said, run) = visit_for_json("fail", &[], TESTS_FAILED);
    assert_eq!(status(&run, "cart::tests::may_fail"), "failed");
    assert!(
        said.stderr.contains("the cart is broken"),
        "what libtest says is shown: {}",
        said.stderr
    );
    let (_, run) = visit_for_json("fail,leak", &[], LEAKS);
    assert_eq!(status(&run, "cart::tests::may_fail"), "failed");
    assert_eq!(status(&run, "cart::tests::may_leak"), "leaked");
}

#[test]
fn a_process_that_is_killed_is_no_pass() {
    for runner in ["cargo", "nextest"] {
        let said = visit("abort", &["--runner", runner, "-p", "cart", "--lib"]);
        let expected = if runner == "cargo" { INCOMPLETE } else { TESTS_FAILED };
        let said = said.ends_with(expected);
        if runner == "cargo" {
            assert!(
                said.stdout.contains("incomplete: the tests of `cart` ended signal: 6"),
                "{}",
                said.stdout
            );
        } else {
            assert!(said.row("may_end_the_process").contains("failed"), "{}", said.stdout);
        }
    }
}

#[test]
fn a_process_that_ends_before_its_tests_is_no_pass() {
    let said =
        visit("exit", &["--runner", "cargo", "-p", "cart", "--lib", "--", "--test-threads=1"]);
    let said = said.ends_with(INCOMPLETE);
    assert!(said.stdout.contains("the tests of `cart` ended without a result"), "{}", said.stdout);
}

#[test]
fn reports_that_cannot_be_read_are_no_pass() {
    let said = visit("half", &["-p", "cart", "--lib"]).ends_with(INCOMPLETE);
    assert!(said.stdout.contains("half.json` is not whole"), "{}", said.stdout);
    let said = visit("newer", &["-p", "cart", "--lib"]).ends_with(INCOMPLETE);
    assert!(said.stdout.contains("has schema 99"), "{}", said.stdout);
    assert!(
        said.stdout.contains("leakcheck 9.0.0 wrote it, update cargo-leakcheck"),
        "{}",
        said.stdout
    );
    let said = visit("cut_off", &["-p", "cart", "--lib"]).ends_with(INCOMPLETE);
    assert!(said.stdout.contains("was cut off while it was written"), "{}", said.stdout);
}

#[test]
fn a_bad_name_gives_no_orders() {
    let (said, run) = visit_for_json("bad_name", &["-p", "cart", "--lib"], LEAKS);
    assert!(!said.stdout.contains('\u{1b}'), "{}", said.stdout);
    assert!(!said.stdout.lines().any(|line| line.starts_with("::error")), "{}", said.stdout);
    let leaked = |test: &&Value| test["status"] == "leaked";
    let leaked = run["tests"].as_array().unwrap().iter().find(leaked).unwrap();
    assert_eq!(leaked["name"], "<script>alert(1)</script>\u{1b}[31m\n::error::x");
}

#[test]
fn two_runs_at_once_do_not_meet() {
    let folder = Folder::new();
    let start = |words: &str, name: &str| {
        let report = format!("--report={}", folder.path().join(name).display());
        let mut command = shop().command(&["-p", "cart", "--lib", &report]);
        command
            .env("SHOP", words)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    };
    let (clean, leaky) = (start("", "clean.json"), start("leak", "leaky.json"));
    Said::of(clean.wait_with_output().unwrap()).ends_with(CLEAN);
    Said::of(leaky.wait_with_output().unwrap()).ends_with(LEAKS);
    for (name, expected) in [("clean.json", "passed"), ("leaky.json", "leaked")] {
        let run: Value = serde_json::from_str(&folder.read(name)).unwrap();
        assert_eq!(status(&run, "cart::tests::may_leak"), expected);
        assert_eq!(run["tests"].as_array().unwrap().len(), 6);
    }
}

#[test]
fn what_is_known_no_longer_fails_and_what_is_new_does() {
    let folder = Folder::new();
    let baseline = folder.path().join("base.json");
    let baseline = format!("--baseline={}", baseline.display());
    let only = ["-p", "cart", "--lib", baseline.as_str()];
    let with = |args: &[&'static str]| -> Vec<&str> { args.iter().copied().chain(only).collect() };

    let said = visit("", &only).ends_with(UNUSABLE);
    assert!(said.stderr.contains("there is no baseline"), "{}", said.stderr);
    let said = visit("leak", &with(&["baseline"])).ends_with(CLEAN);
    assert!(said.stdout.contains("with 1 known leak"), "{}", said.stdout);
    let text = folder.read("base.json");
    assert!(
        text.contains("\"at\": \"cart::keep\"") && !text.contains(".rs"),
        "functions, no lines: {text}"
    );

    let said = visit("leak", &only).ends_with(CLEAN);
    assert!(said.row("tests::may_leak").contains("known leak"), "{}", said.stdout);
    assert!(said.stdout.contains("(known)"), "{}", said.stdout);

    // Another function of the same test.
    let said = visit("leak,leak_elsewhere", &only).ends_with(LEAKS);
    assert!(said.row("tests::may_leak").contains("leaked"), "{}", said.stdout);
    let (new, known) = (said.stdout.find("cart::lose"), said.stdout.find("cart::keep"));
    assert!(new < known, "the new one first: {}", said.stdout);

    // The same function, and more of it.
    let said = visit("leak,leak_more", &only).ends_with(LEAKS);
    assert!(said.row("tests::may_leak").contains("regressed"), "{}", said.stdout);
    assert!(
        said.stdout.contains("net growth was 3.00 MB, is 8.00 MB"),
        "both figures: {}",
        said.stdout
    );
    let said = visit("leak,peak", &only).ends_with(LEAKS);
    assert!(
        said.stdout.contains("peak was 3.0") && said.stdout.contains("churn was 3.0"),
        "{}",
        said.stdout
    );

    // What is gone has to be taken out, and then may not come back.
    let said = visit("", &only).ends_with(STALE_BASELINE);
    assert!(
        said.stdout.contains("fixed: cart::tests::may_leak no longer leaks at cart::keep"),
        "{}",
        said.stdout
    );
    assert!(said.stdout.contains("cargo leakcheck baseline --update"), "{}", said.stdout);
    visit("", &with(&["baseline", "--update"])).ends_with(CLEAN);
    visit("", &only).ends_with(CLEAN);
    visit("leak", &only).ends_with(LEAKS);
    visit("leak", &with(&["baseline", "--update"])).ends_with(CLEAN);
    visit("leak", &only).ends_with(LEAKS);
}

#[test]
fn a_baseline_is_sorted_and_the_same_every_time() {
    let folder = Folder::new();
    let write = |name: &str| {
        let baseline = format!("--baseline={}", folder.path().join(name).display());
        visit("leak", &["baseline", &baseline]).ends_with(CLEAN);
        folder.read(name)
    };
    let text = write("a.json");
    let baseline: Value = serde_json::from_str(&text).unwrap();
    let names: Vec<&String> = baseline["tests"].as_object().unwrap().keys().collect();
    assert!(names.is_sorted() && names.len() > 5, "{names:?}");
    let lines = |text: &str| text.lines().filter(|line| line.contains("\"at\"")).count();
    assert_eq!(lines(&text), lines(&write("b.json")));
}

#[test]
fn a_baseline_that_cannot_be_read_is_said_before_anything_runs() {
    let folder = Folder::new();
    for (text, expected) in [
        ("{\n<<<<<<< ours\n", "has conflict markers in line 2"),
        ("{ \"schema\": 7 }", "has schema 7, and this cargo-leakcheck knows schemas up to 1"),
        ("{ \"schema\": 1, \"tests\":", "cannot be read: EOF"),
    ] {
        let baseline = format!("--baseline={}", folder.write("base.json", text).display());
        for args in [&[baseline.as_str()][..], &["baseline", &baseline]] {
            let said = visit("abort", args).ends_with(UNUSABLE);
            assert!(said.stderr.contains(expected), "{}", said.stderr);
        }
        assert_eq!(folder.read("base.json"), text, "it is left alone");
    }
}

#[test]
fn a_run_that_is_not_whole_is_no_baseline() {
    let folder = Folder::new();
    let baseline = format!("--baseline={}", folder.path().join("base.json").display());
    let said = visit("abort", &["baseline", &baseline, "--runner", "cargo"]).ends_with(INCOMPLETE);
    assert!(said.stderr.contains("no baseline is written"), "{}", said.stderr);
    assert!(!folder.path().join("base.json").exists());
}

#[test]
fn two_runs_are_compared() {
    let folder = Folder::new();
    for (name, words) in [("a.json", ""), ("b.json", "leak,peak")] {
        let report = format!("--report={}", folder.path().join(name).display());
        visit(words, &["-p", "cart", "--lib", "--warn-only", &report]).ends_with(CLEAN);
    }
    let diff = |before, after| support::run(folder.path(), &["diff", before, after]);
    let said = diff("a.json", "b.json").ends_with(LEAKS);
    assert!(
        said.stdout.contains("new leak  3.00 MB  cart::tests::may_leak  cart::keep"),
        "{}",
        said.stdout
    );
    assert!(
        said.stdout.contains("worse     cart::tests::may_leak  net growth 0 B → 3.00 MB"),
        "{}",
        said.stdout
    );
    let said = diff("b.json", "a.json").ends_with(CLEAN);
    assert!(said.stdout.contains("gone      3.00 MB"), "{}", said.stdout);
    let said = diff("a.json", "a.json").ends_with(CLEAN);
    assert!(said.stdout.contains("nothing is different"), "{}", said.stdout);
    diff("a.json", "none.json").ends_with(UNUSABLE);
}

#[test]
fn shards_of_several_machines_are_one_run() {
    let folder = Folder::new();
    for shard in ["1", "2"] {
        let report = format!("--report={}", folder.path().join(format!("{shard}.json")).display());
        let part = format!("--partition=count:{shard}/2");
        let said = visit("leak", &[&part, &report, "--warn-only"]).ends_with(CLEAN);
        assert!(said.stdout.contains("passed"), "{}", said.stdout);
    }
    let merge = |args: &[&str]| support::run(folder.path(), &[&["merge"], args].concat());
    // Each said that leaks do not fail it, and so the whole does not; what leaks is told.
    let said = merge(&["1.json", "2.json", "--report", "all.json"]).ends_with(CLEAN);
    assert!(said.row("cart::tests::may_leak").contains("leaked"), "{}", said.stdout);
    let all: Value = serde_json::from_str(&folder.read("all.json")).unwrap();
    assert_eq!(all["tests"].as_array().unwrap().len(), 11, "{}", said.stdout);

    let said = merge(&["1.json"]).ends_with(INCOMPLETE);
    assert!(said.stdout.contains("incomplete: shard 2 of 2 is missing"), "{}", said.stdout);
    let said = merge(&["1.json", "2.json", "2.json"]).ends_with(INCOMPLETE);
    assert!(said.stdout.contains("shard 2 of 2 is there 2 times"), "{}", said.stdout);
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

#[test]
fn settings_of_the_manifest_hold() {
    let app = Project::app(
        "[workspace.metadata.leakcheck]\nlimits = { unit = 2 }\n\n[[workspace.metadata.leakcheck.tests]]\nname = \
         \"tests::large_*\"\nthreshold_mb = 8\n\n[[workspace.metadata.leakcheck.skip]]\nname = \"*::odd\"\nwhy = \"counts \
         stars\"\n\n[[workspace.metadata.leakcheck.suppress]]\nleak = \"known_leak\"\nwhy = \"of the C library\"\n",
        "#[cfg(test)]\nleakcheck::check_all!();\n#[cfg(test)]\nmod tests {\n    fn keep(mb: usize) { \
         std::mem::forget(vec![0_u8; mb << 20]) }\n    fn known_leak() { keep(4) }\n    #[test] fn small() { keep(1) }\n    \
         #[test] fn large_one() { keep(7) }\n    #[test] fn odd() { keep(9) }\n    #[test] fn known() { known_leak() }\n    \
         #[leakcheck::leak_check(threshold_mb = 3)] #[test] fn large_with_its_own() { keep(4) }\n}\n",
    );
    let said = app.run(&["--report", "run.json"]).ends_with(LEAKS);
    let run: Value = serde_json::from_str(&app.folder().read("run.json")).unwrap();
    let is = |name: &str| status(&run, &format!("app::tests::{name}"));
    assert_eq!(
        (is("small"), is("large_one"), is("odd")),
        ("passed".into(), "passed".into(), "skipped".into())
    );
    assert_eq!(is("known"), "passed", "{}", said.stdout);
    assert_eq!(is("large_with_its_own"), "leaked", "its own words weigh more");
    assert!(said.stdout.contains("counts stars"), "{}", said.stdout);
    assert!(run.to_string().contains("of the C library"), "the reason of a suppression is kept");

    let said = app.run(&["config", "--top", "7"]).ends_with(CLEAN);
    let line = |name: &str| {
        said.stdout.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned()
    };
    assert!(
        line("limits.unit").ends_with("Cargo.toml [workspace.metadata.leakcheck.limits] unit"),
        "{}",
        said.stdout
    );
    assert!(line("limits.integration").ends_with("default"), "{}", said.stdout);
    assert!(line("top").contains('7') && line("top").ends_with("--top"), "{}", said.stdout);
    assert!(line("skip").contains("counts stars"), "{}", said.stdout);
    let output = app.command(&["config"]).env("LEAK_THRESHOLD_MB_UNIT", "0.5").output().unwrap();
    assert!(
        Said::of(output).stdout.contains("LEAK_THRESHOLD_MB_UNIT"),
        "the environment weighs more"
    );
    app.folder().write(
        ".cargo/config.toml",
        "[env]\nLEAK_THRESHOLD_MB_UNIT = \"0.25\"\nLEAK_TOP = \"9\"\n",
    );
    let said = app.run(&["config", "--top", "7"]).ends_with(CLEAN);
    let line =
        |name: &str| said.stdout.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    assert!(
        line("limits.unit").contains("0.25 MB"),
        "cargo's table is the environment: {}",
        said.stdout
    );
    assert!(
        line("limits.unit").ends_with(".cargo/config.toml [env] LEAK_THRESHOLD_MB_UNIT"),
        "{}",
        said.stdout
    );
    assert!(line("top").ends_with("--top"), "{}", said.stdout);
    let output = app.command(&["config"]).env("LEAK_THRESHOLD_MB_UNIT", "0.5").output().unwrap();
    assert!(Said::of(output).stdout.contains("0.5 MB"), "and what is set nearer weighs more");
    let output = app.command(&[]).env("LEAK_THRESHOLD_MB_UNIT", "0.5").output().unwrap();
    assert!(Said::of(output).ends_with(LEAKS).row("tests::small").contains("leaked"));
}

#[test]
fn a_mistake_in_the_manifest_is_named_with_its_place() {
    for (line, expected) in [
        ("treshold_mb = 3", "unknown field `treshold_mb`, expected one of"),
        ("limits = { unit = \"much\" }", "`limits.unit`: invalid type: string \"much\""),
        ("limits = { unit = -1 }", "`limits.unit`: expected a number of megabytes"),
        ("skip = [{ name = \"x\", why = \"\" }]", "`skip[0].why`: expected a reason"),
        ("skip = [{ name = \"x\" }]", "`skip[0]`: missing field `why`"),
        ("stacks = \"deep\"", "`stacks`: expected `full`, `sampled` or `off`"),
        (
            "tolerance = { peak_percent = -3 }",
            "`tolerance.peak_percent`: expected a number, 0 or more",
        ),
        ("reports = [\"report.txt\"]", "`report.txt`: its name tells no format"),
    ] {
        let app = Project::app(&format!("[workspace.metadata.leakcheck]\n{line}\n"), "");
        let said = app.run(&["config"]).ends_with(UNUSABLE);
        assert!(said.stderr.contains(expected), "{line}: {}", said.stderr);
        assert!(said.stderr.contains("workspace.metadata.leakcheck"), "{}", said.stderr);
    }
}

#[test]
fn tests_that_are_not_checked_are_not_taken_for_clean() {
    let app =
        Project::app("", "#[test]\nfn leaks_unseen() { std::mem::forget(vec![0_u8; 3 << 20]) }\n");
    let said = app.run(&[]).ends_with(NOTHING_CHECKED);
    assert!(said.row("leaks_unseen").contains("unchecked"), "{}", said.stdout);
    assert!(said.stderr.contains("1 test ran and none is checked"), "{}", said.stderr);
    assert!(said.stderr.contains("leakcheck::check_all!();"), "{}", said.stderr);
    app.folder().write("src/lib.rs", "");
    for runner in ["cargo", "nextest"] {
        let said = app.run(&["--runner", runner]).ends_with(NOTHING_CHECKED);
        assert!(said.stderr.contains("no test ran"), "{}", said.stderr);
    }
    app.folder().write("src/lib.rs", "fn f( {}");
    for runner in ["cargo", "nextest"] {
        app.run(&["--runner", runner]).ends_with(BUILD_FAILED);
    }
}

#[test]
fn a_check_that_cannot_see_is_not_taken_for_clean() {
    let blind = |library: &str| {
        Project::new(&[
            (
                "Cargo.toml",
                "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dev-dependencies]\nleakcheck = { path = \
                 \"$LEAKCHECK\", default-features = false, features = [\"threads\"] }\n\n[workspace]\n",
            ),
            ("src/lib.rs", library),
        ])
    };
    let said = blind("#[cfg(test)]\n#[leakcheck::leak_check]\n#[test]\nfn checks() {}\n")
        .run(&[])
        .ends_with(BLIND);
    assert!(said.row("checks").contains("blind"), "{}", said.stdout);
    let said = blind("#[cfg(test)]\nleakcheck::check_all!();\n#[test]\nfn checks() {}\n")
        .run(&[])
        .ends_with(BLIND);
    assert!(
        said.stdout.contains("the counting allocator is not installed"),
        "{}\n{}",
        said.stdout,
        said.stderr
    );
}

#[test]
fn a_place_that_cannot_be_written_is_said() {
    let folder = Folder::new();
    folder.write("file", "");
    let report = format!("--report={}", folder.path().join("file/report.html").display());
    let said = visit("", &["-p", "till", &report]).ends_with(UNUSABLE);
    assert!(said.stderr.contains("file"), "{}", said.stderr);
    assert!(
        said.row("tests::keeps_little").contains("passed"),
        "the table is there all the same: {}",
        said.stdout
    );
    let output =
        shop().command(&[]).env("CARGO_TARGET_DIR", folder.path().join("file")).output().unwrap();
    Said::of(output).ends_with(UNUSABLE);
}

#[test]
fn github_is_told_at_the_line_that_allocates() {
    let folder = Folder::new();
    let summary = folder.write("summary.md", "before\n");
    let mut command = shop().command(&["-p", "cart", "--lib"]);
    command.env("SHOP", "leak").env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", &summary);
    let said = Said::of(command.output().unwrap()).ends_with(LEAKS);
    let annotation = "::error file=cart/src/lib.rs,line=3,title=tests%3A%3Amay_leak leaks::`tests::may_leak` leaks 3.00 MB in 1 \
                      block, allocated in `cart::keep`";
    assert!(said.stdout.lines().any(|line| line == annotation), "{}", said.stdout);
    let summary = folder.read("summary.md");
    assert!(summary.starts_with("before\n## leakcheck\n"), "{summary}");
    assert!(summary.contains("| `cart::tests::may_leak` | **leaked** | 3.00 MB |"), "{summary}");
}

#[test]
fn a_mistake_on_the_command_line_is_one_of_usage() {
    let said = visit("", &["--no-such-flag"]).ends_with(USAGE);
    assert!(said.stderr.contains("--no-such-flag"), "{}", said.stderr);
    visit("", &["--partition", "half"]).ends_with(USAGE);
    visit("", &["--runner", "cargo", "--partition", "hash:1/2"]).ends_with(USAGE);
    let said = visit("", &["--report", "report.txt"]).ends_with(USAGE);
    assert!(said.stderr.contains("its name tells no format"), "{}", said.stderr);
    let said = visit("", &["--help"]).ends_with(CLEAN);
    assert!(said.stdout.contains("Exit codes:"), "{}", said.stdout);
}

/// The lines of a workflow's step, as a shell of the CI system would have them.
fn script(workflow: &str, step: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ci").join(workflow);
    let text = std::fs::read_to_string(path).unwrap();
    let (_, after) =
        text.split_once(step).unwrap_or_else(|| panic!("`{workflow}` has no `{step}`"));
    let lines = after.lines().skip(1).filter(|line| !line.trim().starts_with("run: |"));
    let is_script = |line: &&str| line.starts_with("          ") || line.starts_with("    - cargo");
    lines
        .take_while(is_script)
        .map(|line| line.trim().trim_start_matches("- ").to_owned() + "\n")
        .collect()
}

/// Runs a script in the shop, as a CI system does.
fn ci(script: &str, words: &str, directory: &std::path::Path) -> Said {
    let script = script.replace("cargo install --locked cargo-leakcheck\n", "");
    let script = script.replace("--report ", &format!("--report {}/", directory.display()));
    assert!(script.contains("cargo leakcheck"), "{script}");
    let mut command = shop().command(&[]);
    let programs = std::path::Path::new(env!("CARGO_BIN_EXE_cargo-leakcheck")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut shell = std::process::Command::new("bash");
    shell.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &script]);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.current_dir(command.current_dir(shop().path()).get_current_dir().unwrap());
    shell.env("PATH", format!("{}:{path}", programs.display())).env("SHOP", words);
    shell.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", directory.join("summary.md"));
    Said::of(shell.output().unwrap())
}

#[test]
fn the_workflow_for_github_fails_on_leaks() {
    let folder = Folder::new();
    let script = script("github.yml", "- name: Look for leaks");
    let said = ci(&script, "leak", folder.path()).ends_with(LEAKS);
    assert!(said.stdout.contains("::error file=cart/src/lib.rs,line=3,"), "{}", said.stdout);
    assert!(folder.read("summary.md").contains("cart::tests::may_leak"));
    for file in ["leaks/report.html", "leaks/run.json", "leaks/leaks.sarif"] {
        assert!(!folder.read(file).is_empty(), "{file}");
    }
    let said = ci(&script, "", folder.path()).ends_with(CLEAN);
    assert!(!said.stdout.contains("::error"), "{}", said.stdout);
}

#[test]
fn the_workflow_for_several_machines_joins_them_and_fails_on_leaks() {
    let folder = Folder::new();
    let part = script("github-shards.yml", "- name: Look for leaks in a part");
    let join = script("github-shards.yml", "- name: Join the parts");
    let join = join.replace("merge runs", &format!("merge {}/run", folder.path().display()));
    for shard in ["1", "2"] {
        let part = part.replace("${{ matrix.shard }}", shard);
        ci(&part, "leak", folder.path()).ends_with(CLEAN);
    }
    let said = ci(&join, "", folder.path()).ends_with(INCOMPLETE);
    assert!(said.stdout.contains("shard 3 of 3 is missing"), "{}", said.stdout);
    ci(&part.replace("${{ matrix.shard }}", "3"), "leak", folder.path()).ends_with(CLEAN);
    let said = ci(&join, "", folder.path()).ends_with(LEAKS);
    assert!(said.row("cart::tests::may_leak").contains("leaked"), "{}", said.stdout);
    assert!(folder.read("leaks/report.html").contains("may_leak"));
}

#[test]
fn the_workflow_for_gitlab_fails_on_leaks() {
    let folder = Folder::new();
    let script = script("gitlab.yml", "script:");
    ci(&script, "leak", folder.path()).ends_with(LEAKS);
    let issues: Value =
        serde_json::from_str(&folder.read("leaks/gl-code-quality-report.json")).unwrap();
    assert_eq!(issues[0]["location"]["path"], "cart/src/lib.rs");
    assert!(folder.read("leaks/junit.xml").contains("type=\"leak\""));
    ci(&script, "", folder.path()).ends_with(CLEAN);
}

#[test]
fn the_page_of_exit_codes_says_what_the_help_says() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/command.md"))
        .unwrap();
    let help = visit("", &["--help"]).ends_with(CLEAN).stdout;
    let codes = help.split("Exit codes:\n").nth(1).unwrap();
    let lines: Vec<(&str, &str)> =
        codes.lines().filter_map(|line| line.trim().split_once("  ")).collect();
    assert_eq!(lines.len(), 10, "{codes}");
    for (code, meaning) in lines {
        let row = page.lines().find(|line| line.starts_with(&format!("| {code} | ")));
        assert!(
            row.is_some_and(|row| row.ends_with(&format!(" | {meaning} |"))),
            "{code}: {meaning}"
        );
    }
}
