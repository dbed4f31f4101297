//! Synthetic runs of any size.

use serde_json::{Value, json};

/// A run with this many tests, and this many call sites in each. Every third test leaks.
pub(crate) fn run(tests: usize, sites: usize) -> Value {
    let mut frames = vec![
        json!({ "function": "alloc::vec::Vec<T,A>::push", "file": "library/alloc/src/vec/mod.rs", "line": 2000, "class": "std" }),
    ];
    let mut stacks: Vec<(usize, usize)> = Vec::new();
    let mut frame = |function: String, file: String, line: usize| {
        frames.push(json!({ "function": function, "file": file, "line": line, "class": "user" }));
        frames.len() - 1
    };
    let helpers: Vec<usize> = (0..50)
        .map(|n| {
            frame(
                format!("app::module_{}::helper_{n}", n % 7),
                format!("src/module_{}.rs", n % 7),
                10 + n,
            )
        })
        .collect();
    let all = (0..tests).map(|number| {
        let body = frame(format!("app::tests::test_{number:04}"), "src/tests.rs".into(), number + 1);
        stacks.push((0, body));
        let root = stacks.len();
        let list: Vec<Value> = (0..sites)
            .map(|site| {
                let mut at = root;
                for depth in 0..5 {
                    stacks.push((at, helpers[(number + site * 3 + depth * 11) % helpers.len()]));
                    at = stacks.len();
                }
                stacks.push((at, 0));
                let bytes = (sites - site) * 1024;
                let fingerprint = format!("{:016x}", number * 1000 + site);
                json!({ "bytes": bytes, "blocks": 1 + site, "stack": stacks.len(), "fingerprint": fingerprint })
            })
            .collect();
        let leaks = number % 3 == 0;
        let growth: usize = (1..=sites).sum::<usize>() * 1024 + number;
        let limit = json!({ "value": if leaks { 0 } else { growth }, "source": { "is": "default", "kind": "unit" } });
        let excesses = if leaks {
            json!([{ "figure": "bytes", "value": growth, "limit": limit }])
        } else {
            json!([])
        };
        let nothing = json!({ "bytes": 0, "blocks": 0 });
        let amount = json!({ "bytes": growth, "blocks": sites });
        json!({
            "target": if number % 2 == 0 { "app" } else { "app/tests/api" },
            "name": format!("tests::test_{number:04}"),
            "status": if leaks { "leaked" } else { "passed" },
            "why": null,
            "seconds": 0.001 * number as f64,
            "check": {
                "kind": "unit", "scope": "test", "file": null, "line": null,
                "limits": { "measure": "net", "bytes": limit, "blocks": null, "peak_bytes": null, "threads": null },
                "excesses": excesses,
                "judged": amount,
                "figures": {
                    "net_growth": amount, "retained": amount, "released": nothing, "peak_bytes": growth * 2,
                    "churn": amount, "unattributed": nothing, "elapsed_us": number,
                    "events": {
                        "allocations": 1, "deallocations": 0, "reallocations": 0, "bytes_allocated": growth,
                        "bytes_deallocated": 0, "bytes_reallocated": 0,
                    },
                },
                "sites": list,
                "omitted_sites": 0, "omitted": nothing, "siteless": nothing,
                "allowed": [], "suppressed": [], "threads": [],
                "call_stacks": "full", "symbols": "lines",
            },
        })
    });
    let all: Vec<Value> = all.collect();
    json!({
        "schema": 1,
        "cargo_leakcheck": "0.1.0",
        "meta": { "started": 1_700_000_000, "seconds": 12.5, "runner": "cargo test", "commit": null },
        "problems": [],
        "tests": all,
        "frames": frames,
        "stacks": stacks,
    })
}

/// What keeps a block alive.
pub(crate) fn holder(class: &str, path: &str) -> Value {
    json!({
        "class": class, "path": path, "bytes": 1, "blocks": 1, "retained_bytes": 1, "retained_blocks": 1,
        "root": null, "steps": [], "omitted_steps": 0, "members": 0,
    })
}
