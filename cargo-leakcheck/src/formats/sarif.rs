//! SARIF 2.1.0: a result for each leaking call site, at the line that allocates.
//!
//! Written with serde from the few objects that are needed. A test validates it against the schema of
//! the standard.

use std::io::Write;

use leakcheck_report::Frame;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::Leak;
use super::rendered::Rendered;
use crate::model::{Run, Status, Test};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The maximum number of results. Code scanning shows no more per file and rejects larger files.
const MOST_RESULTS: usize = 5_000;

/// The maximum number of frames in a stack.
const MOST_FRAMES: usize = 30;

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'a str,
    version: &'a str,
    runs: [RunOfTool<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RunOfTool<'a> {
    tool: Value,
    original_uri_base_ids: Value,
    invocations: Value,
    column_kind: &'a str,
    results: Results<'a>,
}

/// Results, which are created one by one as they are written.
struct Results<'a>(&'a Run);

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(results(self.0).take(MOST_RESULTS))
    }
}

fn results(run: &Run) -> impl Iterator<Item = Value> {
    let leaks = super::leaks(run).map(|leak| result(run, &leak));
    let regressed = run.tests.iter().filter(|test| test.status == Status::Regressed);
    leaks.chain(regressed.map(regression))
}

pub(super) fn render(run: &Run, out: &mut dyn Write) -> Rendered {
    let regressed = run.tests.iter().filter(|test| test.status == Status::Regressed).count();
    let number = super::leaks(run).count() + regressed;
    let omitted = number.saturating_sub(MOST_RESULTS);
    let omitted = (omitted > 0).then(|| format!("{omitted} more results are omitted"));
    let notes = run
        .problems
        .iter()
        .chain(&omitted)
        .map(|problem| json!({ "level": "error", "message": { "text": problem } }));
    let log = Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [RunOfTool {
            tool: json!({ "driver": {
                "name": "leakcheck",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": [
                    rule("leak", "A test leaks more memory than its limit"),
                    rule("regression", "A test's memory exceeds the baseline by more than its tolerance"),
                ],
            }}),
            original_uri_base_ids: json!({
                "SRCROOT": { "description": { "text": "the root of the workspace" } },
            }),
            invocations: json!([{
                "executionSuccessful": run.problems.is_empty(),
                "toolExecutionNotifications": notes.collect::<Vec<_>>(),
            }]),
            column_kind: "utf16CodeUnits",
            results: Results(run),
        }],
    };
    serde_json::to_writer(&mut *out, &log)?;
    out.write_all(b"\n")?;
    Ok(())
}

fn regression(test: &Test) -> Value {
    let check = test.check.as_ref();
    let place = check.and_then(|check| Some((check.file.as_deref()?, check.line?)));
    json!({
        "ruleId": "regression",
        "ruleIndex": 1,
        "level": "error",
        "message": { "text": super::headline(test) },
        "locations": place.map(|place| location(place, None)).into_iter().collect::<Vec<_>>(),
        "partialFingerprints": { "leakcheckTest/v1": test.id() },
    })
}

fn rule(id: &str, text: &str) -> Value {
    json!({
        "id": id,
        "shortDescription": { "text": text },
        "defaultConfiguration": { "level": "error" },
        "properties": { "tags": ["memory", "leak"] },
    })
}

fn result(run: &Run, leak: &Leak<'_>) -> Value {
    let frames: Vec<Value> = run
        .stack(leak.site.stack)
        .take(MOST_FRAMES)
        .map(|frame| {
            let location = match place(frame) {
                Some(place) => location(place, Some(&frame.name())),
                None => json!({ "message": { "text": frame.name() } }),
            };
            json!({ "location": location })
        })
        .collect();
    let locations: Vec<Value> =
        leak.place().map(|place| location(place, None)).into_iter().collect();
    let mut result = json!({
        "ruleId": "leak",
        "ruleIndex": 0,
        "level": if leak.known { "note" } else { "error" },
        "message": { "text": leak.words() },
        "locations": locations,
        "partialFingerprints": { "leakcheckSite/v1": format!("{:016x}", leak.site.fingerprint) },
        "properties": { "test": leak.test.id(), "bytes": leak.site.bytes, "blocks": leak.site.blocks },
    });
    if !frames.is_empty() {
        result["stacks"] =
            json!([{ "message": { "text": "where it was allocated" }, "frames": frames }]);
    }
    if leak.known {
        result["suppressions"] =
            json!([{ "kind": "external", "justification": "listed in the baseline" }]);
    }
    result
}

fn place(frame: &Frame) -> Option<(&str, u32)> {
    Some((frame.file.as_deref()?, frame.line.filter(|line| *line > 0)?))
}

fn location((file, line): (&str, u32), name: Option<&str>) -> Value {
    let mut location = json!({
        "physicalLocation": {
            "artifactLocation": { "uri": uri(file), "uriBaseId": "SRCROOT" },
            "region": { "startLine": line.max(1) },
        },
    });
    if let Some(name) = name {
        location["logicalLocations"] = json!([{ "fullyQualifiedName": name }]);
    }
    location
}

/// A path as a relative URI reference.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.replace('\\', "/").bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.extend(["%".to_owned(), format!("{byte:02X}")]);
        }
    }
    uri
}
