//! The target runner on its own.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::Folder;

const TRIPLE: &str = "x86_64-unknown-linux-gnu";

fn folder() -> Folder {
    let folder = Folder::new();
    let setup =
        r#"{ "runners": {}, "variables": { "MARK": "before", "GONE": null }, "programs": {} }"#;
    folder.write("setup.json", setup);
    folder.write("programs/before", "");
    folder
}

fn launch(directory: &Path, script: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-leakcheck"));
    command
        .args(["__run-program", TRIPLE, "sh", "-c", script])
        .env("CARGO_LEAKCHECK_RUN", directory);
    command.env("MARK", "now").env("GONE", "x").env("CARGO_PKG_NAME", "app");
    command
}

#[track_caller]
fn record(folder: &Folder) -> Value {
    let entries = std::fs::read_dir(folder.path().join("programs")).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    let path = paths.find(|path| path.extension().is_some_and(|extension| extension == "json"));
    serde_json::from_slice(&std::fs::read(path.expect("there is a record")).unwrap()).unwrap()
}

#[test]
fn it_ends_in_the_same_way_as_its_program() {
    for (script, code, signal, end) in [
        ("exit 0", Some(0), None, serde_json::json!({ "exit_code": 0 })),
        ("exit 3", Some(3), None, serde_json::json!({ "exit_code": 3 })),
        ("kill -KILL $$", None, Some(9), serde_json::json!({ "signal": 9 })),
        ("kill -SEGV $$", None, Some(11), serde_json::json!({ "signal": 11 })),
        ("kill -TERM $$", None, Some(15), serde_json::json!({ "signal": 15 })),
    ] {
        let folder = folder();
        let status = launch(folder.path(), script).status().unwrap();
        assert_eq!((status.code(), status.signal()), (code, signal), "{script}");
        let record = record(&folder);
        assert_eq!(record["end"], end, "{script}");
        assert_eq!(record["target"], "app/doc");
        assert!(record["started_ms"].as_u64() <= record["ended_ms"].as_u64());
    }
}

#[test]
fn its_program_gets_the_signals_and_the_environment() {
    let folder = folder();
    let script = "trap 'exit 7' TERM; echo \"$MARK,${GONE-none},${CARGO_LEAKCHECK_RUN-none}\"; while :; do sleep 0.05; done";
    let mut launcher = launch(folder.path(), script).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(launcher.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "before,none,none\n");
    assert_eq!(record(&folder)["end"], Value::Null, "the record is there from the start");
    let pid = launcher.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(launcher.wait().unwrap().code(), Some(7));
    assert_eq!(record(&folder)["end"]["exit_code"], 7);
}

#[test]
fn a_missing_program_is_reported() {
    let folder = folder();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-leakcheck"));
    command.args(["__run-program", TRIPLE, "/no/such/program"]);
    let output = command.env("CARGO_LEAKCHECK_RUN", folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(127));
    assert!(String::from_utf8_lossy(&output.stderr).contains("`/no/such/program` cannot be run"));
    assert!(record(&folder)["end"]["not_started"].is_string());
}

#[test]
fn called_by_hand_it_says_that_it_is_for_cargo() {
    let output = Command::new(env!("CARGO_BIN_EXE_cargo-leakcheck"))
        .args(["__run-program", TRIPLE, "true"])
        .env_remove("CARGO_LEAKCHECK_RUN")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&output.stderr)
            .contains("only cargo runs `cargo leakcheck __run-program`")
    );
}
