//! Settings in the manifest, and `cargo leakcheck config`.

use serde_json::Value;

use crate::support::Said;
use crate::support::exit::{CLEAN, LEAKS, UNUSABLE};
use crate::support::project::Project;
use crate::support::shop::status;

#[test]
fn settings_of_the_manifest_apply() {
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
        line("limits.unit").contains("0.25 MiB"),
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
    assert!(Said::of(output).stdout.contains("0.5 MiB"), "and what is set nearer weighs more");
    let output = app.command(&[]).env("LEAK_THRESHOLD_MB_UNIT", "0.5").output().unwrap();
    assert!(Said::of(output).ends_with(LEAKS).row("tests::small").contains("leaked"));
}

#[test]
fn variables_of_the_tests_apply_to_the_command_or_are_rejected() {
    let app = Project::app(
        "",
        "#[cfg(test)]\n#[leakcheck::leak_check]\n#[test]\nfn leaks() { std::mem::forget(vec![0_u8; 9 << 20]) }\n",
    );
    let run = |name: &str, value: &str| {
        Said::of(app.command(&[]).env(name, value).output().expect("the command runs"))
    };
    run("LEAK_CHECK", "on").ends_with(LEAKS);
    for mode in ["warn", "record"] {
        let said = run("LEAK_CHECK", mode).ends_with(CLEAN);
        assert!(said.row("leaks").contains("leaked"), "{}", said.stdout);
    }
    for (name, value, told) in [
        ("LEAK_CHECK", "off", "`LEAK_CHECK` is `off` (LEAK_CHECK), so nothing would be checked"),
        (
            "LEAK_CHECK",
            "maybe",
            "`LEAK_CHECK` is `maybe`, expected `on`, `warn`, `record` or `off`",
        ),
        ("LEAK_REPORT_DIR", "", "`LEAK_REPORT_DIR` is ``, expected the path of a directory"),
        ("LEAK_RECORD", "maybe", "`LEAK_RECORD` is `maybe`, expected `on` or `off`"),
    ] {
        let said = run(name, value).ends_with(UNUSABLE);
        assert!(said.stderr.contains(told), "{}", said.stderr);
    }
    run("LEAK_REPORT_DIR", "elsewhere").ends_with(LEAKS);
    assert!(app.folder().read("elsewhere/report.json").contains("leaks"));
}

#[test]
fn an_error_in_the_manifest_names_its_place() {
    for (line, expected) in [
        ("treshold_mb = 3", "unknown field `treshold_mb`, expected one of"),
        ("limits = { unit = \"much\" }", "`limits.unit`: invalid type: string \"much\""),
        ("limits = { unit = -1 }", "`limits.unit`: expected a number of MiB"),
        ("skip = [{ name = \"x\", why = \"\" }]", "`skip[0].why`: expected a reason"),
        ("skip = [{ name = \"x\" }]", "`skip[0]`: missing field `why`"),
        ("stacks = \"deep\"", "`stacks`: expected `full`, `sampled` or `off`"),
        (
            "tolerance = { peak_percent = -3 }",
            "`tolerance.peak_percent`: expected a number, 0 or more",
        ),
        ("reports = [\"report.txt\"]", "`report.txt`: its extension does not imply a format"),
    ] {
        let app = Project::app(&format!("[workspace.metadata.leakcheck]\n{line}\n"), "");
        let said = app.run(&["config"]).ends_with(UNUSABLE);
        assert!(said.stderr.contains(expected), "{line}: {}", said.stderr);
        assert!(said.stderr.contains("workspace.metadata.leakcheck"), "{}", said.stderr);
    }
}
