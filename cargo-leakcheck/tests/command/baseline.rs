//! `cargo leakcheck baseline`, and runs that are compared with a baseline.

use serde_json::Value;

use crate::support::exit::{CLEAN, INCOMPLETE, LEAKS, STALE_BASELINE, UNUSABLE};
use crate::support::project::Project;
use crate::support::shop::visit;
use crate::support::{Folder, Said};

#[test]
fn known_leaks_pass_and_new_leaks_fail() {
    let folder = Folder::new();
    let baseline = folder.path().join("base.json");
    let baseline = format!("--baseline={}", baseline.display());
    let only = ["-p", "cart", "--lib", baseline.as_str()];
    let with = |args: &[&'static str]| -> Vec<&str> { args.iter().copied().chain(only).collect() };

    let said = visit("", &only).ends_with(UNUSABLE);
    assert!(said.stderr.contains("does not exist"), "{}", said.stderr);
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

    // A leak in another function of the same test.
    let said = visit("leak,leak_elsewhere", &only).ends_with(LEAKS);
    assert!(said.row("tests::may_leak").contains("leaked"), "{}", said.stdout);
    let (new, known) = (said.stdout.find("cart::lose"), said.stdout.find("cart::keep"));
    assert!(new < known, "the new one first: {}", said.stdout);

    // A larger leak in the same function.
    let said = visit("leak,leak_more", &only).ends_with(LEAKS);
    assert!(said.row("tests::may_leak").contains("regressed"), "{}", said.stdout);
    assert!(
        said.stdout.contains("net growth was 3.00 MiB, is 8.00 MiB"),
        "both figures: {}",
        said.stdout
    );
    let said = visit("leak,peak", &only).ends_with(LEAKS);
    assert!(
        said.stdout.contains("peak was 3.0") && said.stdout.contains("churn was 3.0"),
        "{}",
        said.stdout
    );

    // A fixed leak must be removed from the baseline, and then must not return.
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
    let said = visit("leak", &with(&["baseline", "--update"])).ends_with(LEAKS);
    assert!(
        said.stderr.contains("`--update` adds no leaks, and some are not in"),
        "{}",
        said.stderr
    );
    visit("leak", &with(&["baseline", "--update", "--warn-only"])).ends_with(CLEAN);
    visit("leak", &only).ends_with(LEAKS);
}

#[test]
fn a_baseline_is_sorted_and_reproducible() {
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
fn an_unreadable_baseline_is_reported_before_anything_runs() {
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
fn an_incomplete_run_does_not_become_a_baseline() {
    let folder = Folder::new();
    let baseline = format!("--baseline={}", folder.path().join("base.json").display());
    let said = visit("abort", &["baseline", &baseline, "--runner", "cargo"]).ends_with(INCOMPLETE);
    assert!(said.stderr.contains("the baseline was not written"), "{}", said.stderr);
    assert!(!folder.path().join("base.json").exists());
}

#[test]
fn a_known_leak_stays_known_when_lines_and_folders_move() {
    let library = "fn keep(bytes: usize) {\n    std::mem::forget(vec![0_u8; bytes]);\n}\n\n#[cfg(test)]\nleakcheck::check_all!();\n\n\
                   #[test]\nfn leaks() {\n    keep(3 << 20);\n}\n";
    let folder = Folder::new();
    let baseline = format!("--baseline={}", folder.path().join("base.json").display());
    let before = Project::app("", library);
    before.run(&["baseline", &baseline]).ends_with(CLEAN);
    // Another folder, another version of the package, and other lines.
    let after = Project::app("", &format!("//! About it.\n\nconst _: u8 = 1;\n{library}"));
    assert_ne!(before.path(), after.path());
    let said = after.run(&[&baseline]).ends_with(CLEAN);
    assert!(said.row("leaks").contains("known leak"), "{}", said.stdout);
    assert!(said.stdout.contains("src/lib.rs:5"), "it has moved: {}", said.stdout);
    // A leak in another function is a new one.
    let renamed = library.replace("keep(", "hold(");
    let said = Project::app("", &renamed).run(&[&baseline]).ends_with(LEAKS);
    assert!(said.row("leaks").contains("leaked"), "{}", said.stdout);
}

#[test]
fn the_manifest_sets_the_tolerances() {
    let with = |tolerance: &str| {
        Project::app(
            &format!("[workspace.metadata.leakcheck.tolerance]\n{tolerance}\n"),
            "#[cfg(test)]\nleakcheck::check_all!();\n\n#[test]\nfn peaks() {\n    if std::env::var_os(\"APP\").is_some() {\n        \
             drop(vec![0_u8; 200 << 10]);\n    }\n    drop(vec![0_u8; 100 << 10]);\n}\n",
        )
    };
    for (tolerance, code) in [
        ("peak_percent = 150\nchurn_percent = 250", CLEAN),
        ("peak_percent = 90\nchurn_percent = 250", LEAKS),
        ("peak_percent = 150\nchurn_percent = 90", LEAKS),
        ("at_least_kb = 250", CLEAN),
    ] {
        let app = with(tolerance);
        app.run(&["baseline"]).ends_with(CLEAN);
        let said = Said::of(app.command(&[]).env("APP", "1").output().unwrap()).ends_with(code);
        let peak = said.stdout.contains("peak was 100") && said.stdout.contains("is 200");
        let churn = said.stdout.contains("churn was 110 KiB") && said.stdout.contains("is 310 KiB");
        let expected =
            (tolerance.contains("peak_percent = 90"), tolerance.contains("churn_percent = 90"));
        assert_eq!((peak, churn), expected, "{tolerance}: {}", said.stdout);
    }
}

/// A package with a test for each figure other than bytes that can leak. The variable `APP` controls
/// them.
fn app() -> Project {
    Project::app("", FIGURES)
}

const FIGURES: &str = r#"
#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::process::{Command, Stdio};

    /// The number after a word in `APP`.
    fn times(word: &str) -> usize {
        let words = std::env::var("APP").unwrap_or_default();
        let number = words.split(',').find_map(|known| known.strip_prefix(word)?.strip_prefix('='));
        number.map_or(0, |number| number.parse().unwrap())
    }

    fn keep(bytes: usize) {
        std::mem::forget(vec![0_u8; bytes]);
    }

    fn keep_elsewhere(bytes: usize) {
        std::mem::forget(vec![1_u8; bytes]);
    }

    #[leakcheck::leak_check(iterations = 40)]
    #[test]
    fn grows() {
        (0..times("grows")).for_each(|_| keep(100));
        (0..times("grows_elsewhere")).for_each(|_| keep_elsewhere(100));
    }

    #[leakcheck::leak_check(fds = 0)]
    #[test]
    fn opens() {
        (0..times("opens")).for_each(|_| std::mem::forget(File::open("Cargo.toml").unwrap()));
    }

    #[leakcheck::leak_check(threads = 0)]
    #[test]
    fn starts() {
        for _ in 0..times("starts") {
            let (ready, wait) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                ready.send(()).unwrap();
                loop {
                    std::thread::park();
                }
            });
            wait.recv().unwrap();
        }
    }

    #[leakcheck::leak_check(children = 0)]
    #[test]
    fn leaves_children() {
        for _ in 0..times("leaves_children") {
            let mut command = Command::new("true");
            std::mem::forget(command.stdin(Stdio::null()).spawn().unwrap());
        }
    }

    #[leakcheck::leak_check(lost_bytes = 0)]
    #[test]
    fn loses() {
        (0..times("loses")).for_each(|_| keep(200_000));
    }

    #[leakcheck::leak_check(threshold_blocks = 10)]
    #[test]
    fn keeps_blocks() {
        (0..times("keeps_blocks")).for_each(|_| keep(1));
    }
}
"#;

#[test]
fn figures_other_than_bytes_are_known_and_lowered() {
    let app = app();
    let run = |words: &str, args: &[&str]| {
        let args = [args, &["--holders", "--", "--test-threads=1"]].concat();
        Said::of(app.command(&args).env("APP", words).output().unwrap())
    };
    let all = "grows=1,opens=2,starts=2,leaves_children=2,loses=1,keeps_blocks=20";
    let tests = ["grows", "opens", "starts", "leaves_children", "loses", "keeps_blocks"];
    let row = |said: &Said, test: &str, expected: &str| {
        assert!(said.row(test).contains(expected), "{test}: {}", said.stdout);
    };

    // Without a baseline, each is new.
    run("", &["baseline"]).ends_with(CLEAN);
    let said = run(all, &[]).ends_with(LEAKS);
    tests.iter().for_each(|test| row(&said, test, "leaked"));

    let said = run(all, &["baseline"]).ends_with(CLEAN);
    assert!(said.stdout.contains("with 7 known leaks"), "{}", said.stdout);
    let said = run(all, &[]).ends_with(CLEAN);
    tests.iter().for_each(|test| row(&said, test, "known leak"));

    // One more, or another call site.
    let more =
        "grows=1,grows_elsewhere=1,opens=3,starts=3,leaves_children=3,loses=2,keeps_blocks=30";
    let said = run(more, &[]).ends_with(LEAKS);
    tests[1..].iter().for_each(|test| row(&said, test, "regressed"));
    row(&said, "grows", "leaked");
    for words in [
        "the number of open file descriptors was 2, is 3, tolerated up to 2",
        "the number of running threads was 2, is 3, tolerated up to 2",
        "the number of child processes was 2, is 3, tolerated up to 2",
        "lost memory was 195 KiB, is 391 KiB, tolerated up to 259 KiB",
        "the number of blocks was 20, is 30, tolerated up to 22",
    ] {
        assert!(said.stdout.contains(words), "{words}: {}", said.stdout);
    }

    // A fixed leak must be removed from the baseline, and then must not return.
    let said = run("", &[]).ends_with(STALE_BASELINE);
    for (test, figure) in [
        ("grows", "memory per call"),
        ("opens", "open file descriptors"),
        ("starts", "running threads"),
        ("leaves_children", "child processes"),
        ("loses", "lost memory"),
        ("keeps_blocks", "blocks"),
    ] {
        let line = format!("fixed: app::tests::{test} is within its limit of {figure}\n");
        assert!(said.stdout.contains(&line), "{line}: {}", said.stdout);
    }
    run("opens=1", &["baseline", "--update"]).ends_with(CLEAN);
    let said = run("opens=1", &[]).ends_with(CLEAN);
    row(&said, "opens", "known leak");
    let said = run("opens=2,starts=1", &[]).ends_with(LEAKS);
    row(&said, "opens", "regressed");
    row(&said, "starts", "leaked");
}

#[test]
fn figures_are_compared_only_for_the_same_number_of_calls() {
    let app = app();
    let run = |iterations: &str, args: &[&str]| {
        let args = [args, &["--iterations", iterations, "--", "grows"]].concat();
        Said::of(app.command(&args).env("APP", "grows=20").output().unwrap())
    };
    run("40", &["baseline"]).ends_with(CLEAN);
    run("40", &[]).ends_with(CLEAN);
    // Ten times as many calls leave ten times as much behind.
    let said = run("400", &[]).ends_with(CLEAN);
    let row = said.row("grows");
    assert!(row.contains("known leak") && row.contains("781 KiB"), "{}", said.stdout);
}
