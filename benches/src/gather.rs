//! Gathers the reports of a large suite: one file per test, as under nextest, where every test has its own process.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::Result;
use crate::cargo::{clean, work};
use crate::grid::median;
use crate::reports::{FORMATS, SITES, TESTS, build, watch};
use crate::table::Table;
use leakcheck_report::format::size;

/// The fewest and the most formats that a run can write.
const WRITES: [(&str, usize); 2] =
    [("the page and JSON, as in every run", 0), ("all ten formats", FORMATS.len())];

pub(crate) fn run(rounds: usize) -> Result<String> {
    let folder = work().join("gather");
    let cannot = |error: std::io::Error| format!("`{}`: {error}", folder.display());
    let program = build()?;
    let written = write(&folder).map_err(cannot)?;
    let mut seconds = [Vec::new(), Vec::new()];
    let mut peaks = [0; 2];
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        for (at, (_, formats)) in WRITES.iter().enumerate() {
            let (time, peak) = watch(&mut command(&program, &folder, *formats))?;
            seconds[at].push(time);
            peaks[at] = peaks[at].max(peak);
        }
    }
    fs::remove_dir_all(&folder).map_err(cannot)?;
    let mut table = Table::new(&["written", "gather and write", "resident"]);
    for (at, (name, _)) in WRITES.iter().enumerate() {
        let time = median(seconds[at].iter().copied()).unwrap_or_default();
        let (time, peak) = (format!("{time:.2} s"), size(peaks[at]));
        table.row(&[(*name).to_owned(), time, peak]);
    }
    Ok(format!("{TESTS} files of {} together.\n\n{}", size(written), table.text()))
}

/// The command, in a project whose tests take no time: instead of cargo, a script copies the reports and prints the
/// events of nextest.
fn command(program: &Path, folder: &Path, formats: usize) -> Command {
    let mut command = Command::new(program);
    clean(&mut command);
    command.args(["leakcheck", "--runner", "nextest", "--warn-only"]);
    for (format, ending) in &FORMATS[..formats] {
        command.arg(format!("--report={format}=report-{format}.{ending}"));
    }
    command.current_dir(folder).env("CARGO", folder.join("cargo"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

const CARGO: &str = r#"#!/bin/sh
case "$*" in
  metadata*) exec "$REAL" "$@" ;;
  *--no-run* | *--version*) ;;
  *) mkdir "$LEAK_REPORT_DIR/app" && ln reports/* "$LEAK_REPORT_DIR/app" && cat events ;;
esac
"#;

/// Writes the project and its reports; returns the total size of the reports in bytes.
fn write(folder: &Path) -> std::io::Result<u64> {
    _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder.join("reports"))?;
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("src/lib.rs"), "")?;
    let manifest =
        "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n";
    fs::write(folder.join("Cargo.toml"), manifest)?;
    let real = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    fs::write(folder.join("cargo"), CARGO.replace("$REAL", &real))?;
    fs::set_permissions(folder.join("cargo"), fs::Permissions::from_mode(0o755))?;
    let mut size = 0;
    let mut events = format!(
        r#"{{"type":"suite","event":"started","test_count":{TESTS},"nextest":{{"crate":"app","test_binary":"app","kind":"lib"}}}}"#
    );
    for number in 0..TESTS {
        let text = format!("{:#}\n", report(number));
        size += text.len() as u64;
        fs::write(folder.join(format!("reports/tests__test_{number:04}.json")), text)?;
        let name = format!("app::app$tests::test_{number:04}");
        _ = write!(events, "\n{}", json!({ "type": "test", "event": "started", "name": name }));
        let ended = json!({ "type": "test", "event": "ok", "name": name, "exec_time": 0.001 });
        _ = write!(events, "\n{ended}");
    }
    fs::write(folder.join("events"), events + "\n")?;
    Ok(size)
}

/// A report as `docs/report-schema.md` describes it. Every third test leaks.
fn report(number: usize) -> Value {
    let growth = (1..=SITES).sum::<usize>() * 1024;
    let (nothing, amount) =
        (json!({ "bytes": 0, "blocks": 0 }), json!({ "bytes": growth, "blocks": SITES }));
    let limit =
        |value: usize| json!({ "value": value, "source": { "is": "default", "kind": "unit" } });
    let leaks = number.is_multiple_of(3);
    let limit = limit(if leaks { 0 } else { growth });
    let excess = json!({ "figure": "bytes", "value": growth, "limit": limit });
    let verdict = if leaks {
        json!({ "is": "leaked", "excesses": [excess] })
    } else {
        json!({ "is": "passed" })
    };
    let sites: Vec<Value> = (0..SITES).map(|site| call_site(number, site)).collect();
    json!({
        "schema": 1, "leakcheck": "0.1.0",
        "test": {
            "name": format!("tests::test_{number:04}"), "package": "app", "binary": null, "crate": "app",
            "integration": false, "kind": "unit", "scope": "process", "file": "src/tests.rs", "line": 1 + number,
        },
        "verdict": verdict,
        "limits": {
            "measure": "net", "bytes": limit, "blocks": null, "peak_bytes": null, "threads": null, "fds": null,
            "children": null, "c_heap_bytes": null, "lost_bytes": null,
        },
        "judged": amount,
        "figures": {
            "net_growth": amount, "retained": amount, "released": nothing, "peak_bytes": growth, "churn": amount,
            "unattributed": nothing, "fds": 0, "children": 0, "c_heap_bytes": null,
            "events": {
                "allocations": SITES, "deallocations": 0, "reallocations": 0, "bytes_allocated": growth,
                "bytes_deallocated": 0, "bytes_reallocated": 0,
            },
            "elapsed_us": 1000,
        },
        "repetition": null, "decide": null,
        "call_sites": sites,
        "omitted": { "call_sites": 0, "bytes": 0, "blocks": 0 },
        "siteless": nothing, "allowed": [], "suppressed": [], "threads": [], "fds": [], "children": [], "unjudged": [],
        "call_stacks": "full", "symbols": "lines",
    })
}

/// A call site with a distinct stack of seven frames.
fn call_site(number: usize, site: usize) -> Value {
    let frame = |function: String, file: String, line: usize, class: &str| json!({ "function": function, "file": file, "line": line, "class": class });
    let mut frames = vec![frame(
        "alloc::vec::Vec<T,A>::push".to_owned(),
        "library/alloc/src/vec/mod.rs".to_owned(),
        2000,
        "std",
    )];
    frames.extend((0..5).map(|depth| {
        let n = (number + site * 3 + depth * 11) % 50;
        frame(
            format!("app::module_{}::helper_{n}", n % 7),
            format!("src/module_{}.rs", n % 7),
            1 + n,
            "user",
        )
    }));
    let test = format!("app::tests::test_{number:04}");
    frames.push(frame(test, "src/tests.rs".to_owned(), 1 + number, "user"));
    json!({
        "bytes": (SITES - site) * 1024, "blocks": 1, "frames": frames, "omitted_frames": 0, "growth": null,
        "holders": [],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reports_are_ones_that_the_command_can_read() {
        for number in 0..2 {
            let read: std::result::Result<leakcheck_report::Report, _> =
                serde_json::from_value(report(number));
            assert!(read.is_ok(), "{read:?}");
        }
    }
}
