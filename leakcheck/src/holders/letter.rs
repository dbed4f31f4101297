//! What the second run of a test writes for the first one to read: a line for each thing, with its
//! parts between tabs.

use std::fs;
use std::path::Path;

use super::Holding;
use crate::report::{Class, Frame, Holder, Root, Step};

const HEAD: &str = "holders 1";
const END: &str = "end";

/// Writes what was found. A file is whole when its last line is there.
pub(super) fn write(path: &Path, found: &[(Vec<Frame>, Holder)]) -> std::io::Result<()> {
    let mut lines = vec![HEAD.to_owned()];
    for (frames, holder) in found {
        lines.push(line(&["site"], &[]));
        for frame in frames {
            let (line_, offset) = (number(frame.line.map(u64::from)), number(frame.offset));
            lines.push(line(
                &["frame"],
                &[&frame.function, &frame.file, &line_, &frame.module, &offset],
            ));
        }
        let figures = [
            u64::from(holder.class.number()),
            holder.bytes,
            holder.blocks,
            holder.retained_bytes,
            holder.retained_blocks,
            holder.omitted_steps,
            holder.members,
        ];
        let figures = figures.map(|figure| number(Some(figure)));
        lines.push(line(&["holder"], &figures.each_ref()));
        lines.push(line(&["path"], &[&Some(holder.path.clone())]));
        if let Some(root) = &holder.root {
            let offset = number(root.offset);
            let parts = [&root.name, &root.module, &offset, &root.thread, &root.started_at];
            lines.push(line(&["root"], &parts));
        }
        for step in &holder.steps {
            let (bytes, offset) = (number(Some(step.bytes)), number(Some(step.offset)));
            let parts = [&step.label, &bytes, &step.place, &offset, &step.field];
            lines.push(line(&["step"], &parts));
        }
    }
    lines.push(END.to_owned());
    fs::write(path, lines.join("\n"))
}

fn number(number: Option<u64>) -> Option<String> {
    number.map(|number| number.to_string())
}

fn line(kind: &[&str], parts: &[&Option<String>]) -> String {
    let escaped = |part: &&Option<String>| match part {
        Some(text) => {
            let text = text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n");
            format!("={text}")
        }
        None => "-".to_owned(),
    };
    let parts = parts.iter().map(escaped);
    kind.iter().map(|kind| (*kind).to_owned()).chain(parts).collect::<Vec<_>>().join("\t")
}

/// Reads what a second run found; `None` where it did not write, or not all.
pub(super) fn read(path: &Path) -> Option<Vec<(Vec<Frame>, Holder)>> {
    let text = fs::read_to_string(path).ok()?;
    let mut lines = text.lines();
    if lines.next()? != HEAD {
        return None;
    }
    let mut found: Vec<(Vec<Frame>, Holder)> = Vec::new();
    for line in lines {
        let mut parts = line.split('\t');
        let kind = parts.next()?;
        let parts: Vec<Option<String>> = parts.map(unescaped).collect();
        let number = |index: usize| -> Option<u64> { parts.get(index)?.as_ref()?.parse().ok() };
        let text = |index: usize| parts.get(index).cloned().flatten();
        if kind == END {
            return Some(found);
        }
        if kind == "site" {
            found.push((Vec::new(), nobody()));
            continue;
        }
        let (frames, holder) = found.last_mut()?;
        match kind {
            "frame" => frames.push(Frame {
                function: text(0),
                file: text(1),
                line: number(2).and_then(|line| line.try_into().ok()),
                module: text(3),
                offset: number(4),
                class: Class::default(),
            }),
            "holder" => {
                *holder = Holder {
                    class: Holding::from_number(number(0)?.try_into().ok()?),
                    bytes: number(1)?,
                    blocks: number(2)?,
                    retained_bytes: number(3)?,
                    retained_blocks: number(4)?,
                    omitted_steps: number(5)?,
                    members: number(6)?,
                    ..nobody()
                };
            }
            "path" => holder.path = text(0)?,
            "root" => {
                holder.root = Some(Root {
                    name: text(0),
                    module: text(1),
                    offset: number(2),
                    thread: text(3),
                    started_at: text(4),
                });
            }
            "step" => holder.steps.push(Step {
                label: text(0),
                bytes: number(1)?,
                place: text(2),
                offset: number(3)?,
                field: text(4),
            }),
            _ => return None,
        }
    }
    None
}

fn nobody() -> Holder {
    Holder {
        class: Holding::Lost,
        bytes: 0,
        blocks: 0,
        retained_bytes: 0,
        retained_blocks: 0,
        path: String::new(),
        root: None,
        steps: Vec::new(),
        omitted_steps: 0,
        members: 0,
    }
}

fn unescaped(part: &str) -> Option<String> {
    let part = part.strip_prefix('=')?;
    let mut text = String::with_capacity(part.len());
    let mut characters = part.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next()? {
                't' => text.push('\t'),
                'n' => text.push('\n'),
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
    Some(text)
}

/// Whether two stacks read the same: whose code a frame is depends on where it is looked at from.
pub(super) fn read_the_same(one: &[Frame], other: &[Frame]) -> bool {
    let parts = |frame: &Frame| {
        (frame.function.clone(), frame.file.clone(), frame.line, frame.module.clone(), frame.offset)
    };
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| parts(one) == parts(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let odd = Some("tabs\t, lines\n, \\n and =".to_owned());
        let frame = Frame { function: odd.clone(), line: Some(7), ..Frame::default() };
        let root = Root { name: odd.clone(), offset: Some(3), ..Root::default() };
        let step =
            Step { label: odd.clone(), bytes: 5, place: Some(String::new()), ..Step::default() };
        let holder = Holder {
            class: Holding::HeldByThreadLocal,
            bytes: u64::MAX,
            path: "a → b".to_owned(),
            root: Some(root),
            steps: vec![step.clone(), step],
            ..nobody()
        };
        let found = vec![(vec![frame.clone(), frame], holder), (Vec::new(), nobody())];
        let path = std::env::temp_dir().join(format!("leakcheck-letter-{}", std::process::id()));
        write(&path, &found).unwrap();
        assert_eq!(read(&path).unwrap(), found);
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert_eq!(read(&path), None, "half a letter is none");
        fs::remove_file(&path).unwrap();
    }
}
