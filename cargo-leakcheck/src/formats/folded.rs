//! Folded stacks for flame graph tools: one line per call site, from the test to the allocation, with
//! the retained bytes.

use std::io::Write;

use super::rendered::Rendered;
use crate::model::Run;

pub(super) fn render(run: &Run, out: &mut dyn Write) -> Rendered {
    let names: Vec<String> = run.frames.iter().map(|frame| part(&frame.name())).collect();
    let mut frames = Vec::new();
    for test in &run.tests {
        let id = part(&test.id());
        for site in test.sites() {
            out.write_all(id.as_bytes())?;
            frames.clear();
            frames.extend(run.frame_indices(site.stack));
            for name in frames.iter().rev().filter_map(|frame| names.get(*frame as usize)) {
                out.write_all(b";")?;
                out.write_all(name.as_bytes())?;
            }
            writeln!(out, " {}", site.bytes)?;
        }
    }
    Ok(())
}

/// Replaces the characters that separate names and lines. Some readers end a line at U+2028 too.
fn part(name: &str) -> String {
    let odd = |c: char| c == ';' || c.is_control() || (c.is_whitespace() && c != ' ');
    name.chars().map(|c| if odd(c) { '_' } else { c }).collect()
}
