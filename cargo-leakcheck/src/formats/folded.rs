//! Folded stacks: a line a call site, the test first, with the bytes that it retains; what flame graph tools read.

use crate::model::{Frame, Run};

pub(super) fn render(run: &Run) -> String {
    let mut text = String::new();
    for test in &run.tests {
        for site in test.sites() {
            text.push_str(&part(&test.id()));
            let frames: Vec<&Frame> = run.stack(site.stack).collect();
            for frame in frames.iter().rev() {
                text.push(';');
                text.push_str(&part(&frame.name()));
            }
            text.extend([" ", &site.bytes.to_string(), "\n"]);
        }
    }
    text
}

/// A name without what parts names and lines.
fn part(name: &str) -> String {
    let odd = |c: char| c == ';' || c.is_control();
    name.chars().map(|c| if odd(c) { '_' } else { c }).collect()
}
