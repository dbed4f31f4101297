//! GitLab's code quality: a list of what is found at which line.

use std::io::Write;

use serde_json::{Value, json};

use super::Rendered;
use crate::model::Run;

pub(super) fn render(run: &Run, out: &mut dyn Write) -> Rendered {
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
    serde_json::to_writer_pretty(&mut *out, &issues)?;
    out.write_all(b"\n")?;
    Ok(())
}
