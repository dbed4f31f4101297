//! The lines of a call stack that a reader sees.

use crate::format::counted;
use crate::frame::{Class, Frame};

/// The most frames of the user's code that a call site shows.
const MOST_FRAMES: usize = 6;
/// The most frames of other code that a call site shows.
const MOST_OTHER_FRAMES: usize = 3;

/// A function and its place in the sources.
pub(super) type Line = (String, String);

/// What makes two call sites the same to a reader: the lines, or, where no function has a name,
/// every address.
pub(super) fn key(frames: &[Frame], lines: &[Line]) -> Vec<Line> {
    if is_named(frames) { lines.to_vec() } else { frames.iter().map(line).collect() }
}

fn is_named(frames: &[Frame]) -> bool {
    frames.is_empty() || frames.iter().any(|frame| frame.function.is_some())
}

/// What a call site shows: the user's own frames, then the dependency that allocated for them.
/// Where the user has no frame in it, the frames nearest to the allocation.
pub(super) fn lines(frames: &[Frame], omitted: u64) -> Vec<Line> {
    if !is_named(frames) {
        return shortened(frames.iter().map(line).collect(), 2 * MOST_FRAMES, omitted);
    }
    let user: Vec<&Frame> = frames.iter().filter(|frame| frame.class == Class::User).collect();
    let inner = frames.iter().take_while(|frame| frame.class != Class::User);
    let through: Vec<&Frame> =
        inner.filter(|frame| frame.class == Class::Dependency).take(MOST_OTHER_FRAMES).collect();
    if user.is_empty() {
        let nearest = if through.is_empty() {
            frames.iter().take(MOST_OTHER_FRAMES).collect()
        } else {
            through
        };
        return if nearest.is_empty() {
            vec![("call site not known".to_owned(), String::new())]
        } else {
            nearest.into_iter().map(line).collect()
        };
    }
    let mut lines: Vec<Line> = user.iter().copied().map(line).collect();
    // A closure without a path says less than the function around it.
    lines.dedup_by(|next, line| {
        if line.0 == "{closure}" && line.1 == next.1 {
            line.0.clone_from(&next.0);
        }
        next == line
    });
    let mut lines = shortened(lines, MOST_FRAMES, omitted);
    lines.extend(
        through
            .into_iter()
            .map(line)
            .map(|(function, place)| (format!("through {function}"), place)),
    );
    lines
}

/// The two ends of a long stack, of which `omitted` frames are not there to begin with.
fn shortened(mut lines: Vec<Line>, most: usize, omitted: u64) -> Vec<Line> {
    let oldest = lines.len().saturating_sub(1);
    let left_out = if lines.len() > most { most - 1..oldest } else { oldest..oldest };
    let more = left_out.len() as u64 + omitted;
    if more > 0 {
        let more = counted(more, "more frame");
        lines.splice(left_out, [(format!("… {more}"), String::new())]);
    }
    lines
}

pub(super) fn line(frame: &Frame) -> Line {
    (frame.short_name().into_owned(), frame.place().unwrap_or_default())
}
