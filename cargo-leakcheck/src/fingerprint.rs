//! Fingerprints identify a leak from one build to the next.
//!
//! A fingerprint is a hash of the functions from the allocation to the test, in the user's code and in
//! dependencies. It excludes lines, files, addresses, versions, the hashes that a compiler puts into
//! names, and the standard library, whose inner functions change with the toolchain.

use leakcheck_report::{Class, Frame};

use crate::model::Run;

/// Computes the fingerprints of a run's stacks. Caches the relevant part of each frame's name, because
/// few frames make many stacks.
#[derive(Debug, Default)]
pub(crate) struct Fingerprints {
    /// By index in the frames of the run.
    names: Vec<Name>,
}

/// The part of a frame that counts.
#[derive(Debug)]
struct Name {
    plain: String,
    /// Whether it belongs to the user's code or to a dependency.
    is_theirs: bool,
}

impl Fingerprints {
    /// The fingerprint of a stack. All stacks must belong to the same run.
    pub(crate) fn of(&mut self, run: &Run, stack: u32) -> u64 {
        let new = run.frames.iter().skip(self.names.len()).map(Name::of);
        self.names.extend(new);
        hash(run.frame_indices(stack).filter_map(|place| self.names.get(place as usize)))
    }
}

impl Name {
    fn of(frame: &Frame) -> Self {
        let plain = match (&frame.function, &frame.module) {
            (Some(function), _) => plain(function),
            // The offset changes with every build.
            (None, Some(module)) => plain(module),
            (None, None) => "?".to_owned(),
        };
        Self { plain, is_theirs: matches!(frame.class, Class::User | Class::Dependency) }
    }
}

/// The fingerprint of the names of a stack, the allocation first.
fn hash<'a>(names: impl Iterator<Item = &'a Name>) -> u64 {
    let (mut all, mut theirs) = (Path::new(), Path::new());
    for name in names {
        all.add(&name.plain);
        if name.is_theirs {
            theirs.add(&name.plain);
        }
    }
    if theirs.last.is_some() { theirs.hash.0 } else { all.hash.0 }
}

/// A path of functions.
struct Path<'a> {
    hash: Fnv,
    last: Option<&'a str>,
}

impl<'a> Path<'a> {
    fn new() -> Self {
        Self { hash: Fnv::new(), last: None }
    }

    fn add(&mut self, name: &'a str) {
        // A leak is the same at every depth of a recursion.
        if self.last != Some(name) {
            self.hash.add(name.as_bytes());
            self.hash.add(b"\n");
        }
        self.last = Some(name);
    }
}

/// A function's name without what a compiler adds: `::h0123456789abcdef` at the end,
/// `[0123456789abcdef]` after a crate, and the number of a closure.
fn plain(name: &str) -> String {
    let name = match name.rsplit_once("::h") {
        Some((path, hash)) if is_hash(hash) => path,
        _ => name,
    };
    let mut plain = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find(['[', '#']) {
        plain.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        rest = if rest.as_bytes()[at] == b'[' {
            match after.split_once(']') {
                Some((hash, behind)) if is_hash(hash) => behind,
                _ => {
                    plain.push('[');
                    after
                }
            }
        } else {
            after.trim_start_matches(|c: char| c.is_ascii_digit())
        };
    }
    plain.push_str(rest);
    plain
}

fn is_hash(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// FNV-1a. Unlike the standard library's hash, it is the same on every machine and in every version.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FrameIn, Interner};

    fn frame(function: &str, place: (&str, u32), class: Class) -> Frame {
        Frame::of_function(function, class).at(place.0, place.1)
    }

    fn fingerprint(frames: &[Frame]) -> u64 {
        let mut run = Run::default();
        let frames = frames.iter().map(FrameIn::from);
        let stack = Interner::default().stack(&mut run, frames);
        Fingerprints::default().of(&run, stack)
    }

    #[test]
    fn lines_files_hashes_and_the_standard_library_do_not_matter() {
        let one = [
            frame("alloc::vec::Vec<T>::push", ("library/alloc/src/vec/mod.rs", 9), Class::Std),
            frame("app::cache::insert::h0123456789abcdef", ("src/cache.rs", 12), Class::User),
            frame("app[00aabbccddeeff11]::evicts::{closure#0}", ("src/cache.rs", 80), Class::User),
        ];
        let other = [
            frame("app::cache::insert", ("crates/app/src/cache.rs", 99), Class::User),
            frame("app::evicts::{closure}", ("/elsewhere/cache.rs", 1), Class::User),
        ];
        assert_eq!(fingerprint(&one), fingerprint(&other));
    }

    #[test]
    fn another_function_is_another_leak() {
        let at = |name: &str| fingerprint(&[frame(name, ("src/lib.rs", 1), Class::User)]);
        assert_ne!(at("app::insert"), at("app::remove"));
        assert_ne!(at("app::insert"), at("app::insert_all"));
        assert_ne!(at("app::index[3]"), at("app::index[4]"), "only hashes are left out");
    }

    #[test]
    fn the_depth_of_a_recursion_does_not_matter() {
        let visit = frame("app::visit", ("src/lib.rs", 5), Class::User);
        let test = frame("app::test", ("src/lib.rs", 50), Class::User);
        let deep = [visit.clone(), visit.clone(), visit.clone(), test.clone()];
        assert_eq!(fingerprint(&deep), fingerprint(&[visit, test]));
    }

    #[test]
    fn a_stripped_programs_addresses_do_not_matter() {
        let at = |offset| Frame::of_address("app", offset);
        assert_eq!(fingerprint(&[at(1), at(2)]), fingerprint(&[at(7)]));
    }

    /// Baselines are kept across versions.
    #[test]
    fn it_is_the_same_in_every_version() {
        let frames = [frame("app::cache::insert", ("src/cache.rs", 12), Class::User)];
        assert_eq!(format!("{:016x}", fingerprint(&frames)), "e91ee66aa63de4f7");
    }
}
