//! What users see on the terminal.

use crate::support::Said;
use crate::support::exit::{CLEAN, LEAKS, STALE_BASELINE, UNUSABLE, USAGE};
use crate::support::project::Project;

#[test]
fn a_leak_is_described_in_familiar_terms() {
    let app = Project::app(
        "",
        "#[cfg(test)]\nmod tests {\n    use std::sync::Mutex;\n    static KEPT: Mutex<Vec<Vec<u8>>> = \
         Mutex::new(Vec::new());\n    #[leakcheck::leak_check] #[test] fn keeps() { for _ in 0..3 { \
         KEPT.lock().unwrap().push(vec![1; 1 << 20]) } }\n    #[leakcheck::leak_check(fds = 0)] #[test] fn opens() { \
         std::mem::forget(std::fs::File::open(\"/dev/null\").unwrap()) }\n}\n",
    );
    let args = ["--iterations", "20", "--threshold-mb", "1.5", "--report", "run.json"];
    let said = app.run(&args).ends_with(LEAKS);
    assert!(said.stdout.contains("leaks 3.00 MiB per call (20 calls)"), "{}", said.stdout);
    let run: serde_json::Value = serde_json::from_str(&app.folder().read("run.json")).unwrap();
    let keeps = run["tests"].as_array().unwrap().iter().find(|test| test["name"] == "tests::keeps");
    let limit = keeps.unwrap()["check"]["excesses"][0]["limit"].to_string();
    assert!(limit.contains("--iterations"), "who set it: {limit}");
    let said = app.run(&[]).ends_with(LEAKS);
    let rows: Vec<&str> = said.stdout.lines().collect();
    let at = rows.iter().position(|row| row.starts_with("tests::keeps")).expect("it is listed");
    // The vector and its contents were allocated at the same line.
    let (site, holder) = (rows[at + 1], rows[at + 2]);
    assert!(site.contains("4 blocks") && site.contains("  app::tests::keeps  src/"), "{site}");
    assert_eq!(holder.trim(), "kept alive by static app::tests::KEPT", "{}", said.stdout);
    assert!(said.stdout.contains("left 1 file descriptor open, limit 0 (fds)"), "{}", said.stdout);
}

#[test]
fn bodies_can_be_repeated_until_growth_is_certain() {
    let app = Project::app("[workspace.metadata.leakcheck]\niterations = \"auto\"\n", "");
    let iterations = |said: Said| {
        let said = said.ends_with(CLEAN);
        let line = said.stdout.lines().find(|line| line.starts_with("iterations "));
        line.unwrap_or_default().split_whitespace().collect::<Vec<_>>()[1..3].join(" ")
    };
    assert_eq!(iterations(app.run(&["config"])), "auto Cargo.toml");
    assert_eq!(iterations(app.run(&["config", "--iterations", "7"])), "7 --iterations");
    assert_eq!(iterations(app.run(&["config", "--iterations", "auto"])), "auto --iterations");
    let with = |value: &str| {
        Said::of(app.command(&["config"]).env("LEAK_ITERATIONS", value).output().unwrap())
    };
    assert_eq!(iterations(with("auto")), "auto LEAK_ITERATIONS");
    assert_eq!(iterations(with("12")), "12 LEAK_ITERATIONS");
    let said = with("often").ends_with(UNUSABLE);
    assert!(said.stderr.contains("expected `auto` or a whole number"), "{}", said.stderr);
}

#[test]
fn the_error_for_an_invalid_number_says_what_is_expected() {
    let app = Project::app("", "");
    for (args, expected) in [
        (["--iterations", "0"], "expected `auto` or a whole number, 1 or more"),
        (["--top", "many"], "expected a whole number, 1 or more"),
        (["--threshold-mb", "-1"], "expected a number of MiB, 0 or more"),
    ] {
        let said = app.run(&args).ends_with(USAGE);
        assert!(said.stderr.contains(expected), "{}", said.stderr);
    }
}

#[test]
fn a_leak_that_became_negligible_is_removed_from_the_baseline() {
    let app = Project::app(
        "",
        "#[cfg(test)]\nmod tests {\n    fn keep(bytes: usize) { std::mem::forget(vec![1_u8; bytes]) }\n    \
         #[leakcheck::leak_check] #[test] fn keeps() { keep(if std::env::var_os(\"MUCH\").is_some() { 3 << 20 } else { 3 \
         }) }\n}\n",
    );
    let much = |args: &[&str]| Said::of(app.command(args).env("MUCH", "1").output().unwrap());
    much(&["baseline"]).ends_with(CLEAN);
    much(&[]).ends_with(CLEAN);
    let said = app.run(&[]).ends_with(STALE_BASELINE);
    assert!(said.stdout.contains("no longer leaks at app::tests::keep"), "{}", said.stdout);
    app.run(&["baseline", "--update"]).ends_with(CLEAN);
    app.run(&[]).ends_with(CLEAN);
    much(&[]).ends_with(LEAKS);
}

#[test]
fn an_invalid_variable_is_reported_before_anything_is_built() {
    let app = Project::app("", "compile_error!(\"nothing is built\");\n");
    for (name, value) in [
        ("LEAK_STACKS", "some"),
        ("LEAK_HOLDERS", "yes"),
        ("LEAK_LOST_BYTES", "1 kB"),
        ("LEAK_ITERATIONS_MAX", "0"),
    ] {
        let said = Said::of(app.command(&[]).env(name, value).output().unwrap());
        let said = said.ends_with(UNUSABLE);
        assert!(
            said.stderr.contains(&format!("`{name}` is `{value}`, expected ")),
            "{}",
            said.stderr
        );
    }
}

#[test]
fn the_error_for_a_wrong_type_shows_the_right_one() {
    for (line, expected) in [
        (
            "skip = [\"slow\"]",
            "`skip[0]`: invalid type: string \"slow\", expected a table such as `{ name = ",
        ),
        (
            "limits = { unit = \"1\" }",
            "`limits.unit`: invalid type: string \"1\", expected a number",
        ),
        ("top = \"5\"", "`top`: invalid type: string \"5\", expected a whole number"),
    ] {
        let app = Project::app(&format!("[workspace.metadata.leakcheck]\n{line}\n"), "");
        let said = app.run(&["config"]).ends_with(UNUSABLE);
        assert!(said.stderr.contains(expected), "{}", said.stderr);
    }
}

#[test]
fn a_test_with_a_raw_name_is_the_same_with_nextest() {
    let app = Project::app(
        "",
        "#[cfg(test)]\nleakcheck::check_all!();\n#[cfg(test)]\nmod tests { mod r#mod { #[test] fn r#fn() {} } }\n",
    );
    let said = app.run(&["--runner", "nextest"]).ends_with(CLEAN);
    assert!(said.stdout.contains("1 test: 1 passed"), "{}", said.stdout);
}
