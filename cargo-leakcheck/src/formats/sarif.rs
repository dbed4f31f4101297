//! SARIF 2.1.0: a result for each leaking call site, at the line that allocates.
//!
//! Written with serde from the few objects that it takes; a test holds it against the standard's schema.

use std::error::Error;

use serde_json::{Value, json};

use super::Leak;
use crate::model::{Frame, Run, Status};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

pub(super) fn render(run: &Run) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut results: Vec<Value> = super::leaks(run).map(|leak| result(run, &leak)).collect();
    let regressed = run.tests.iter().filter(|test| test.status == Status::Regressed);
    results.extend(regressed.map(|test| {
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
    }));
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "leakcheck",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": [
                    rule("leak", "A test leaves more memory behind than its limit"),
                    rule("regression", "A test's memory is beyond its tolerance over the baseline"),
                ],
            }},
            "originalUriBaseIds": { "SRCROOT": { "description": { "text": "the root of the workspace" } } },
            "invocations": [{
                "executionSuccessful": run.problems.is_empty(),
                "toolExecutionNotifications": run.problems.iter().map(|problem| json!({
                    "level": "error", "message": { "text": problem },
                })).collect::<Vec<_>>(),
            }],
            "columnKind": "utf16CodeUnits",
            "results": results,
        }],
    });
    let mut text = serde_json::to_vec_pretty(&log)?;
    text.push(b'\n');
    Ok(text)
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
            json!([{ "kind": "external", "justification": "known to the baseline" }]);
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

/// A path as a relative reference.
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
