//! Test programs with unusual ends and misleading output. Records decide, not printed lines.

use serde_json::Value;

use crate::support::Said;
use crate::support::exit::{CLEAN, INCOMPLETE, LEAKS, TESTS_FAILED};
use crate::support::project::Project;
use crate::support::shop::status;

const LEAK: &str = "fn leak() { std::mem::forget(vec![0_u8; 9_000_000]) }\n";

/// A package with these test programs. Those in `custom` have `harness = false`.
fn project(programs: &[(&str, &str)], custom: &[&str]) -> Project {
    let tables =
        custom.iter().map(|name| format!("[[test]]\nname = \"{name}\"\nharness = false\n"));
    let app = Project::app(&tables.collect::<String>(), "");
    for (name, text) in programs {
        app.folder().write(&format!("tests/{name}.rs"), format!("{LEAK}{text}"));
    }
    app
}

fn run(app: &Project, args: &[&str], variables: &[(&str, &str)]) -> (Said, Value) {
    let args = [&["--report", "run.json", "--no-optimize"], args].concat();
    let mut command = app.command(&args);
    let said = Said::of(command.envs(variables.iter().copied()).output().unwrap());
    let run = serde_json::from_str(&app.folder().read("run.json"));
    (said, run.unwrap_or_default())
}

fn ids(run: &Value) -> Vec<String> {
    let tests = run["tests"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    tests.map(|test| format!("{}::{}", text(&test["target"]), text(&test["name"]))).collect()
}

fn problems(run: &Value) -> String {
    run["problems"].to_string()
}

#[test]
fn what_a_test_prints_decides_nothing() {
    let lines = "println!(\"     Running tests/b_ok.rs (target/debug/deps/b_ok-5c5a5a65cf2cb01d)\\ntest b_phantom ... \
                 ok\\ntest result: ok. 1 passed; 0 failed\");";
    let prints = format!(
        "#[leakcheck::leak_check] #[test] fn b_leaks() {{ leak(); {lines} }}\n#[test] fn b_fails() {{ {lines} panic!() }}\n"
    );
    let app = project(
        &[
            ("a_prints", &prints),
            ("b_ok", "#[test] fn b_clean() {}\n"),
            ("c_unfinished", "fn main() { print!(\"done\") }\n"),
            ("d_leaks", "leakcheck::check_all!();\n#[test] fn d_leaks() { leak() }\n"),
        ],
        &["c_unfinished"],
    );
    let expected = ["a_prints::b_fails", "a_prints::b_leaks", "b_ok::b_clean", "d_leaks::d_leaks"];
    let expected = expected.map(|id| format!("app/tests/{id}"));
    for args in [&[][..], &["--", "--test-threads=1"], &["--", "--nocapture", "--test-threads=1"]] {
        let (said, run) = run(&app, args, &[]);
        let said = said.ends_with(LEAKS);
        assert_eq!(ids(&run), expected, "{args:?}: {}", said.stdout);
        for (id, is) in expected.iter().zip(["failed", "leaked", "unchecked", "leaked"]) {
            assert_eq!(status(&run, id), is, "{id} with {args:?}");
        }
    }
}

#[test]
fn a_test_that_exits_is_named_and_makes_the_run_incomplete() {
    let app = project(
        &[
            (
                "attribute",
                "#[leakcheck::leak_check] #[test] fn b_exits() { leak(); std::process::exit(0) }\n",
            ),
            (
                "suite",
                "leakcheck::check_all!();\n#[test] fn b_exits() { leak(); std::process::exit(0) }\n",
            ),
            (
                "unchecked",
                "#[test] fn b_exits() { std::process::exit(0) }\n#[test] fn c_waits() {}\n",
            ),
        ],
        &[],
    );
    let (said, run) = run(&app, &["--runner", "cargo", "--", "--test-threads=1"], &[]);
    said.ends_with(INCOMPLETE);
    for program in ["attribute", "suite", "unchecked"] {
        assert_eq!(status(&run, &format!("app/tests/{program}::b_exits")), "cut_off", "{run:#}");
    }
    for program in ["attribute", "suite"] {
        let expected = format!(
            "the tests of `app/tests/{program}` ended with exit code 101 while `b_exits` was running: 1 test did not finish"
        );
        assert!(problems(&run).contains(&expected), "{}", problems(&run));
    }
    let expected =
        "the tests of `app/tests/unchecked` ended with exit code 0: 2 tests did not finish";
    assert!(problems(&run).contains(expected), "{}", problems(&run));

    let (said, run) = self::run(&app, &["--runner", "nextest"], &[]);
    said.ends_with(INCOMPLETE);
    assert_eq!(status(&run, "app/tests/unchecked::b_exits"), "cut_off");
    assert_eq!(status(&run, "app/tests/unchecked::c_waits"), "unchecked");
    assert_eq!(status(&run, "app/tests/suite::b_exits"), "failed", "nextest saw its exit code");
}

#[test]
fn a_killed_program_is_not_confused_with_another() {
    let dies = "#[leakcheck::leak_check] #[test] fn k_dies() {\n    match std::env::var(\"DIE\").as_deref() {\n        \
                Ok(\"abort\") => std::process::abort(),\n        Ok(\"kill\") => _ = \
                std::process::Command::new(\"kill\").args([\"-9\", &std::process::id().to_string()]).status(),\n        _ \
                => {}\n    }\n}\n";
    let clean = "leakcheck::check_all!();\n#[test] fn is_clean() {}\n";
    let app = project(&[("a_first", clean), ("k_killed", dies), ("z_last", clean)], &[]);
    for (way, signal) in [("abort", "6 (SIGABRT)"), ("kill", "9 (SIGKILL)")] {
        let (said, run) = run(&app, &["--runner", "cargo"], &[("DIE", way)]);
        said.ends_with(INCOMPLETE);
        assert_eq!(status(&run, "app/tests/a_first::is_clean"), "passed");
        assert_eq!(status(&run, "app/tests/z_last::is_clean"), "passed");
        assert_eq!(status(&run, "app/tests/k_killed::k_dies"), "cut_off");
        let expected = format!(
            "the tests of `app/tests/k_killed` ended by signal {signal} while `k_dies` was running"
        );
        assert!(problems(&run).contains(&expected), "{}", problems(&run));
        assert_eq!(problems(&run).matches("the tests of").count(), 1, "{}", problems(&run));
        let programs = run["programs"].as_array().unwrap();
        let ends =
            programs.iter().map(|program| (program["target"].as_str().unwrap(), &program["end"]));
        let killed = serde_json::json!({ "signal": signal.split(' ').next().unwrap().parse::<i32>().unwrap() });
        let exited = serde_json::json!({ "exit_code": 0 });
        assert!(ends.clone().any(|end| end == ("app/tests/k_killed", &killed)), "{programs:#?}");
        assert!(ends.clone().any(|end| end == ("app/tests/z_last", &exited)), "{programs:#?}");
    }
    run(&app, &["--runner", "cargo"], &[]).0.ends_with(CLEAN);
}

#[test]
fn a_program_with_a_custom_harness_counts_by_its_exit_code() {
    let app = project(
        &[
            (
                "own",
                "fn main() { leakcheck::check(leakcheck::Options::new().name(\"own\"), || {});\n    \
                     std::process::exit(std::env::var(\"CODE\").map_or(0, |code| code.parse().unwrap())) }\n",
            ),
            ("b_ok", "#[test] fn b_clean() {}\n"),
        ],
        &["own"],
    );
    let (said, run) = run(&app, &[], &[]);
    said.ends_with(CLEAN);
    assert_eq!(status(&run, "app/own::own"), "passed");
    self::run(&app, &[], &[("CODE", "3")]).0.ends_with(TESTS_FAILED);
    app.folder().write("tests/own.rs", "leakcheck::check_all!();\nfn main() {}\n");
    let (said, run) = self::run(&app, &[], &[]);
    said.ends_with(INCOMPLETE);
    assert!(
        problems(&run).contains("`app/tests/own` has `check_all!` and `harness = false`"),
        "{run:#}"
    );
}

#[test]
fn doctests_count() {
    let app = project(&[], &[]);
    app.folder().write(
        "src/lib.rs",
        "//! ```\n//! assert!(std::env::var_os(\"FAIL\").is_none());\n//! ```\n//! ```should_panic\n//! panic!();\n//! ```\n\
         #[cfg(test)]\nleakcheck::check_all!();\n#[test] fn is_clean() {}\n",
    );
    run(&app, &[], &[]).0.ends_with(CLEAN);
    let said = run(&app, &[], &[("FAIL", "1")]).0.ends_with(TESTS_FAILED);
    assert!(said.stderr.contains("src/lib.rs - (line 1)"), "what failed is shown: {}", said.stderr);
    run(&app, &["--doc"], &[("FAIL", "1")]).0.ends_with(TESTS_FAILED);
}

#[test]
fn the_target_runner_of_the_user_still_starts_the_tests() {
    let app = project(
        &[(
            "via",
            "leakcheck::check_all!();\n#[test] fn is_started_by_it() {\n    assert_eq!(std::env::var(\"VIA\").ok(), \
                   std::env::var(\"EXPECTED\").ok());\n    let runner = \
                   std::env::vars().find(|(name, _)| name.starts_with(\"CARGO_TARGET_\") && name.ends_with(\"_RUNNER\"));\n    \
                   assert!(runner.is_none_or(|(_, value)| value == \"env VIA=variable\"));\n}\n",
        )],
        &[],
    );
    let host = Said::of(
        std::process::Command::new("rustc").args(["--print", "host-tuple"]).output().unwrap(),
    );
    let host = host.stdout.trim();
    let check = |expected: &str, args: &[&str], variables: &[(&str, &str)]| {
        for runner in ["cargo", "nextest"] {
            let args = [&["--runner", runner], args].concat();
            let variables = [&[("EXPECTED", expected)], variables].concat();
            run(&app, &args, &variables).0.ends_with(CLEAN);
        }
    };
    let config = |text: &str| app.folder().write(".cargo/config.toml", text);
    config("[target.'cfg(unix)']\nrunner = 'env VIA=cfg'\n");
    check("cfg", &[], &[]);
    config(&format!("[target.{host}]\nrunner = ['env', 'VIA=file']\n"));
    check("file", &[], &[]);
    let variable = format!("CARGO_TARGET_{}_RUNNER", host.replace('-', "_").to_uppercase());
    check("variable", &[], &[(&variable, "env VIA=variable")]);
    let flag = format!("target.{host}.runner=['env', 'VIA=flag']");
    check("flag", &["--config", &flag], &[]);
    config("");
    app.folder().write("more.toml", format!("[target.{host}]\nrunner = ['env', 'VIA=more']\n"));
    check("more", &["--config", "more.toml"], &[]);
}
