//! The reports of `cargo leakcheck` for a large suite: 5,000 tests with 100 call sites each.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Result;
use crate::cargo::{cargo, output, root, work};
use crate::grid::median;
use crate::table::Table;
use leakcheck_report::format::size;

pub(crate) const TESTS: usize = 5_000;
pub(crate) const SITES: usize = 100;

/// The formats and their file extensions. Every format includes the time to read the run; the first one writes only a
/// short page.
pub(crate) const FORMATS: [(&str, &str); 10] = [
    ("markdown", "md"),
    ("html", "html"),
    ("json", "json"),
    ("junit", "xml"),
    ("sarif", "sarif"),
    ("gitlab", "json"),
    ("folded", "folded"),
    ("speedscope", "json"),
    ("dhat", "json"),
    ("pprof", "pb.gz"),
];

pub(crate) fn run(rounds: usize) -> Result<String> {
    let folder = work().join("reports");
    let cannot = |error: std::io::Error| format!("`{}`: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(cannot)?;
    let program = build()?;
    write(&folder.join("run.json")).map_err(cannot)?;
    let mut seconds = vec![Vec::new(); FORMATS.len()];
    let mut peaks = vec![0; FORMATS.len()];
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        for (at, (format, ending)) in FORMATS.iter().enumerate() {
            let report = format!("{format}=report-{format}.{ending}");
            let (time, peak) = measure(&program, &folder, &report)?;
            seconds[at].push(time);
            peaks[at] = peaks[at].max(peak);
        }
    }
    let mut table = Table::new(&["format", "read and write", "resident", "file"]);
    for (at, (format, ending)) in FORMATS.iter().enumerate() {
        let time = median(seconds[at].iter().copied()).unwrap_or_default();
        let file = folder.join(format!("report-{format}.{ending}"));
        let bytes = fs::metadata(&file).map_err(cannot)?.len();
        let (time, peak) = (format!("{time:.2} s"), size(peaks[at]));
        table.row(&[(*format).to_owned(), time, peak, size(bytes)]);
    }
    Ok(table.text())
}

/// Builds the command, optimized.
pub(crate) fn build() -> Result<PathBuf> {
    let target = work().join("command");
    let mut cargo = cargo();
    cargo.args(["build", "--release", "-p", "cargo-leakcheck"]).current_dir(root());
    output(cargo.arg("--target-dir").arg(&target))?;
    Ok(target.join("release/cargo-leakcheck"))
}

/// Reads the run and writes a report of it.
fn measure(program: &Path, folder: &Path, report: &str) -> Result<(f64, u64)> {
    let mut command = Command::new(program);
    command.args(["leakcheck", "merge", "run.json", "--warn-only", "--report", report]);
    command.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
    watch(&mut command)
}

/// The processor time in seconds and the peak resident memory in bytes of one run. Both are read while the process runs;
/// where the system does not report them, the time is wall-clock time.
pub(crate) fn watch(command: &mut Command) -> Result<(f64, u64)> {
    let start = Instant::now();
    let mut child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
    let (mut time, mut peak) = (None, 0);
    loop {
        let id = child.id();
        time = cpu_time(id).or(time);
        peak = peak_resident(id).unwrap_or(peak);
        let ended = child.try_wait().map_err(|error| error.to_string())?;
        if let Some(status) = ended {
            let passed = start.elapsed().as_secs_f64();
            let why = || format!("{command:?}: {status}");
            return status.success().then(|| (time.unwrap_or(passed), peak)).ok_or_else(why);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Processor time in user and system mode: fields 14 and 15 of `stat`, in hundredths of a second. The fields are counted
/// from the end of the name, which may contain spaces.
fn cpu_time(process: u32) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    let ticks: u64 = fields.split(' ').skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    (ticks > 0).then_some(ticks as f64 / 100.0)
}

fn peak_resident(process: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}

/// Writes a run as described in `docs/run-schema.md`. Every third test leaks, and every call site has a distinct stack of
/// seven frames.
fn write(path: &Path) -> std::io::Result<()> {
    let user = |function: String, file: String, line: usize| json!({ "function": function, "file": file, "line": line, "class": "user" });
    let mut frames = vec![json!({ "function": "alloc::vec::Vec<T,A>::push", "class": "std" })];
    frames.extend((0..50).map(|n| {
        user(format!("app::module_{}::helper_{n}", n % 7), format!("src/module_{}.rs", n % 7), n)
    }));
    let mut stacks: Vec<(usize, usize)> = Vec::new();
    let mut out = BufWriter::new(File::create(path)?);
    out.write_all(br#"{"schema":1,"cargo_leakcheck":"0.1.0","problems":[],"#)?;
    let meta = json!({ "started": 1, "seconds": 1.0, "runner": "cargo test", "commit": null });
    write!(out, r#""meta":{meta},"tests":["#)?;
    for number in 0..TESTS {
        frames.push(user(format!("app::tests::test_{number:04}"), "src/tests.rs".into(), number));
        stacks.push((0, frames.len() - 1));
        let root = stacks.len();
        let sites: Vec<Value> = (0..SITES)
            .map(|site| {
                let helpers = (0..5).map(|depth| 1 + (number + site * 3 + depth * 11) % 50);
                let top = helpers.chain([0]).fold(root, |caller, frame| {
                    stacks.push((caller, frame));
                    stacks.len()
                });
                let fingerprint = format!("{:016x}", number * SITES + site);
                let bytes = (SITES - site) * 1024;
                json!({ "bytes": bytes, "blocks": 1, "stack": top, "fingerprint": fingerprint })
            })
            .collect();
        let comma = if number == 0 { "" } else { "," };
        write!(out, "{comma}{}", test(number, &sites))?;
    }
    write!(out, r#"],"frames":{},"stacks":{}}}"#, json!(frames), json!(stacks))?;
    out.flush()
}

fn test(number: usize, sites: &[Value]) -> Value {
    let leaks = number.is_multiple_of(3);
    let growth = (1..=SITES).sum::<usize>() * 1024;
    let limit = json!({ "value": if leaks { 0 } else { growth }, "source": { "is": "default", "kind": "unit" } });
    let excess = json!({ "figure": "bytes", "value": growth, "limit": limit });
    let (nothing, amount) =
        (json!({ "bytes": 0, "blocks": 0 }), json!({ "bytes": growth, "blocks": SITES }));
    json!({
        "target": "app", "name": format!("tests::test_{number:04}"), "why": null, "seconds": 0.001,
        "status": if leaks { "leaked" } else { "passed" },
        "check": {
            "kind": "unit", "scope": "test", "file": null, "line": null, "call_stacks": "full", "symbols": "lines",
            "limits": { "measure": "net", "bytes": limit, "blocks": null, "peak_bytes": null, "threads": null },
            "excesses": if leaks { vec![excess] } else { Vec::new() },
            "judged": amount,
            "figures": {
                "net_growth": amount, "retained": amount, "released": nothing, "peak_bytes": growth,
                "churn": amount, "unattributed": nothing,
                "events": {
                    "allocations": SITES, "deallocations": 0, "reallocations": 0, "bytes_allocated": growth,
                    "bytes_deallocated": 0, "bytes_reallocated": 0,
                },
            },
            "sites": sites, "omitted_sites": 0, "omitted": nothing, "siteless": nothing,
            "allowed": [], "suppressed": [], "threads": [],
        },
    })
}
