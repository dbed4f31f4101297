//! GitLab's code quality report: a list of issues, each at a line.

use std::collections::HashMap;
use std::io::Write;

use serde_json::{Value, json};

use super::rendered::Rendered;
use crate::model::Run;

pub(super) fn render(run: &Run, out: &mut dyn Write) -> Rendered {
    // GitLab keeps one issue per fingerprint.
    let mut times: HashMap<String, usize> = HashMap::new();
    let issues: Vec<Value> = super::leaks(run)
        .filter_map(|leak| {
            let (path, line) = leak.place()?;
            let mut fingerprint = format!("{:016x}-{}", leak.site.fingerprint, leak.test.id());
            let number = times.entry(fingerprint.clone()).or_default();
            *number += 1;
            if *number > 1 {
                fingerprint = format!("{fingerprint}-{number}");
            }
            Some(json!({
                "description": leak.words(),
                "check_name": "leakcheck",
                "fingerprint": fingerprint,
                "severity": if leak.known { "info" } else { "major" },
                "location": { "path": path, "lines": { "begin": line } },
            }))
        })
        .collect();
    serde_json::to_writer_pretty(&mut *out, &issues)?;
    out.write_all(b"\n")?;
    Ok(())
}
