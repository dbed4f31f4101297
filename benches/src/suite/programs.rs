//! A crate's test programs, with leakcheck and without.

use std::fs;
use std::path::Path;

use super::Crate;
use super::checkout::Checkout;
use super::fetch::fetch;
use crate::Result;
use crate::cargo::{finish, output, work};
use crate::clock::{Time, timed};
use crate::profile::Profile;

/// A way to run a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Without,
    StacksOff,
    Sampled,
    Full,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Without, Self::StacksOff, Self::Sampled, Self::Full];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Without => "without",
            Self::StacksOff => "stacks off",
            Self::Sampled => "sampled stacks",
            Self::Full => "with leakcheck",
        }
    }

    fn stacks(self) -> &'static str {
        match self {
            Self::Without | Self::Full => "full",
            Self::StacksOff => "off",
            Self::Sampled => "sampled",
        }
    }
}

/// A crate's test programs, plain and annotated.
#[derive(Debug)]
pub(super) struct Suite {
    pub(super) name: String,
    plain: Checkout,
    annotated: Checkout,
}

/// Fetches the crates, copies each twice and builds both.
pub(super) fn build(crates: &[Crate], profile: Profile) -> Result<Vec<Suite>> {
    let sources = fetch(crates)?;
    crates
        .iter()
        .zip(sources)
        .map(|(published, source)| {
            eprintln!("building the tests of {} ({})", published.name, profile.name());
            let folder = work().join("suite").join(published.name);
            let plain = Checkout::build(&source, folder.join("plain"), published, profile, false)?;
            // The same versions of what both need.
            let locked = fs::read(plain.folder.join("Cargo.lock")).map_err(|e| e.to_string())?;
            let annotated = folder.join("annotated");
            fs::create_dir_all(&annotated)
                .and_then(|()| fs::write(annotated.join("Cargo.lock"), locked))
                .map_err(|error| format!("`{}`: {error}", annotated.display()))?;
            let annotated = Checkout::build(&source, annotated, published, profile, true)?;
            Ok(Suite {
                name: format!("{} {}", published.name, published.version),
                plain,
                annotated,
            })
        })
        .collect()
}

impl Suite {
    /// Runs all programs, one after the other, and returns the time. Their tests run in parallel.
    pub(super) fn run(&self, kind: Kind) -> Result<Time> {
        let checkout = if kind == Kind::Without { &self.plain } else { &self.annotated };
        let mut time = Time::default();
        for program in &checkout.programs {
            let mut command = checkout.command(program);
            command.env("LEAK_STACKS", kind.stacks());
            if kind == Kind::StacksOff {
                // Without stacks, output that libtest captures is not told from leaks.
                command.env("LEAK_THRESHOLD_MB", "1024");
            }
            time += timed(&mut command)?.1;
        }
        Ok(time)
    }

    /// Whether its programs know this kind: a value that a version does not know fails the tests.
    pub(super) fn accepts(&self, kind: Kind) -> bool {
        kind != Kind::Sampled || self.run(kind).is_ok()
    }

    /// How many tests the plain programs run.
    pub(super) fn tests(&self) -> Result<usize> {
        let mut tests = 0;
        for program in &self.plain.programs {
            let text = output(&mut self.plain.command(program))?;
            tests += text.split(" passed").next().and_then(last_number).unwrap_or(0);
        }
        Ok(tests)
    }

    /// How many of them are checked: each of these writes a report where that is asked for.
    pub(super) fn checked(&self) -> Result<usize> {
        let reports = self.annotated.folder.join("reports");
        if reports.exists() {
            fs::remove_dir_all(&reports).map_err(|error| error.to_string())?;
        }
        for program in &self.annotated.programs {
            let mut command = self.annotated.command(program);
            finish(command.env("LEAK_RECORD", "on").env("LEAK_REPORT_DIR", &reports))?;
        }
        Ok(files(&reports))
    }
}

fn last_number(text: &str) -> Option<usize> {
    text.rsplit(' ').next()?.parse().ok()
}

/// The files in a folder and those below.
fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}
