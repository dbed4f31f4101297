//! The test programs of a crate, with and without leakcheck.

use std::fs;
use std::path::Path;

use super::Crate;
use super::checkout::Checkout;
use super::fetch::fetch;
use crate::Result;
use crate::cargo::{finish, output, work};
use crate::clock::{Time, timed};
use crate::profile::Profile;

/// How a suite is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Without,
    StacksOff,
    Sampled,
    Full,
}

impl Mode {
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
            // Both copies use the same versions of their dependencies.
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
    /// Runs all programs one after the other, with parallel tests, and returns the total time.
    pub(super) fn run(&self, mode: Mode) -> Result<Time> {
        let checkout = if mode == Mode::Without { &self.plain } else { &self.annotated };
        let mut time = Time::default();
        for program in &checkout.programs {
            let mut command = checkout.command(program);
            command.env("LEAK_STACKS", mode.stacks());
            if mode == Mode::StacksOff {
                // Without stacks, captured output of libtest cannot be distinguished from leaks.
                command.env("LEAK_THRESHOLD_MB", "1024");
            }
            time += timed(&mut command)?.1;
        }
        Ok(time)
    }

    /// Whether this version of leakcheck supports the mode: otherwise the tests fail.
    pub(super) fn accepts(&self, mode: Mode) -> bool {
        mode != Mode::Sampled || self.run(mode).is_ok()
    }

    /// The number of tests in the plain programs.
    pub(super) fn tests(&self) -> Result<usize> {
        let mut tests = 0;
        for program in &self.plain.programs {
            let text = output(&mut self.plain.command(program))?;
            tests += text.split(" passed").next().and_then(last_number).unwrap_or(0);
        }
        Ok(tests)
    }

    /// The number of tests that are checked. With `LEAK_RECORD`, each of them writes a report.
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

/// The number of files in a directory and its subdirectories.
fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}
