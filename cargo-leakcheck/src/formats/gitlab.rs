//! GitLab's code quality: a list of what is found at which line.

use std::error::Error;

use serde_json::{Value, json};

use crate::model::Run;

pub(super) fn render(run: &Run) -> Result<Vec<u8>, Box<dyn Error>> {
    let issues: Vec<Value> = super::leaks(run)
        .filter_map(|leak| {
            let (path, line) = leak.place()?;
            Some(json!({
                "description": leak.words(),
                "check_name": "leakcheck",
                "fingerprint": format!("{:016x}-{}", leak.site.fingerprint, leak.test.id()),
                "severity": if leak.known { "info" } else { "major" },
                "location": { "path": path, "lines": { "begin": line } },
            }))
        })
        .collect();
    let mut text = serde_json::to_vec_pretty(&issues)?;
    text.push(b'\n');
    Ok(text)
}
