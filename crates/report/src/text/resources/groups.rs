//! Threads, descriptors and child processes that look the same to a reader.

use crate::frame::{Class, Frame};
use crate::text::frames::line;

/// Things that are described in the same words.
pub(super) struct Group<'a, T, K> {
    pub(super) what: K,
    pub(super) members: Vec<&'a T>,
}

/// The largest group first, and groups of the same size in the order of their first members.
pub(super) fn group<T, K: PartialEq>(
    all: &[T],
    describe: impl Fn(&T) -> K,
) -> Vec<Group<'_, T, K>> {
    let mut groups: Vec<Group<'_, T, K>> = Vec::new();
    for member in all {
        let what = describe(member);
        match groups.iter_mut().find(|group| group.what == what) {
            Some(group) => group.members.push(member),
            None => groups.push(Group { what, members: vec![member] }),
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.members.len()));
    groups
}

/// What a descriptor refers to, as a noun.
pub(super) fn kind(target: &str) -> &str {
    const SOCKETS: [&str; 3] = ["TCP socket", "UDP socket", "Unix socket"];
    if let Some(socket) = SOCKETS.into_iter().find(|socket| target.starts_with(socket)) {
        return socket;
    }
    match target.split_once(':') {
        Some(("socket", _)) => "socket",
        Some(("pipe", _)) => "pipe",
        _ if target.starts_with("/memfd:") => "file in memory",
        _ if target.starts_with('/') => "file",
        _ => target,
    }
}

/// Numbers with ranges: `3–5, 9`. A long list is cut.
pub(super) fn numbers(all: impl Iterator<Item = i32>) -> String {
    const MOST: usize = 3;
    let mut ranges: Vec<(i32, i32)> = Vec::new();
    for number in all {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let shown = ranges.iter().take(MOST).map(|(first, last)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first}–{last}"),
    });
    let mut shown: Vec<String> = shown.collect();
    if ranges.len() > MOST {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}

/// Where something was done: in the user's own code if that is known, and through which functions of
/// dependencies.
pub(super) fn place(frames: &[Frame], done: &str) -> Vec<String> {
    let user = frames.iter().position(|frame| frame.class == Class::User);
    let Some(at) = frames.get(user.unwrap_or(0)) else { return Vec::new() };
    let (function, place) = line(at);
    let place = if place.is_empty() { String::new() } else { format!(" at {place}") };
    let mut parts = vec![format!("{done}{place} in {function}")];
    let inner = &frames[..user.unwrap_or(0)];
    let dependencies = inner.iter().filter(|frame| frame.class == Class::Dependency);
    let dependencies: Vec<String> = dependencies.map(|frame| line(frame).0).collect();
    // Of the dependency that the user's code calls: its innermost function, which did it or had it
    // done, and its outermost one.
    let called = dependencies.last().map(|outermost| krate(outermost));
    let of_called = dependencies.iter().filter(|function| Some(krate(function)) == called);
    let mut through: Vec<&String> = of_called.collect();
    through.dedup();
    let innermost = through.first().copied();
    let outermost = through.last().copied().filter(|last| Some(*last) != innermost);
    parts.extend(innermost.into_iter().chain(outermost).map(|name| format!("through {name}")));
    parts
}

/// The crate of a function.
fn krate(function: &str) -> &str {
    let path = function.trim_start_matches(['<', '&']);
    path.split_once("::").map_or(path, |(krate, _)| krate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_in_the_same_words_are_one_group_and_the_largest_is_first() {
        let groups = group(&[1, 2, 12, 3, 13, 23], |number| number % 10);
        let groups: Vec<(i32, usize)> =
            groups.iter().map(|group| (group.what, group.members.len())).collect();
        assert_eq!(groups, [(3, 3), (2, 2), (1, 1)]);
    }

    #[test]
    fn numbers_in_a_row_are_a_range() {
        assert_eq!(numbers([3].into_iter()), "3");
        assert_eq!(numbers([3, 4].into_iter()), "3, 4");
        assert_eq!(numbers([3, 4, 5, 9].into_iter()), "3–5, 9");
        assert_eq!(numbers([1, 3, 5, 7].into_iter()), "1, 3, 5, …");
    }

    #[test]
    fn a_target_has_a_noun() {
        for (target, noun) in [
            ("Unix socket @bus to /run/bus", "Unix socket"),
            ("socket:[71]", "socket"),
            ("pipe:[71], its reading end", "pipe"),
            ("/memfd:shared (deleted)", "file in memory"),
            ("/etc/hosts", "file"),
            ("eventpoll", "eventpoll"),
        ] {
            assert_eq!(kind(target), noun);
        }
    }
}
