//! The format of speedscope: one profile with every test at its root, and one for each of the tests
//! that leak most.

use std::borrow::Cow;
use std::io::Write;

use serde::Serialize;

use super::rendered::Rendered;
use crate::model::{Run, Status, Test};

const SCHEMA: &str = "https://www.speedscope.app/file-format-schema.json";

/// The maximum number of profiles of single tests.
const MOST_PROFILES: usize = 50;

#[derive(Serialize)]
struct File<'a> {
    #[serde(rename = "$schema")]
    schema: &'a str,
    exporter: String,
    name: &'a str,
    #[serde(rename = "activeProfileIndex")]
    active: usize,
    shared: Shared<'a>,
    profiles: Vec<Profile>,
}

#[derive(Serialize)]
struct Shared<'a> {
    frames: Vec<Frame<'a>>,
}

#[derive(Serialize)]
struct Frame<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}

#[derive(Serialize)]
struct Profile {
    #[serde(rename = "type")]
    of: &'static str,
    name: String,
    unit: &'static str,
    #[serde(rename = "startValue")]
    start: u64,
    #[serde(rename = "endValue")]
    end: u64,
    samples: Vec<Vec<u32>>,
    weights: Vec<u64>,
}

pub(super) fn render(run: &Run, out: &mut dyn Write) -> Rendered {
    let mut frames: Vec<Frame<'_>> = run
        .frames
        .iter()
        .map(|frame| Frame { name: frame.name(), file: frame.file.as_deref(), line: frame.line })
        .collect();
    let roots = u32::try_from(frames.len())?;
    frames.extend(run.tests.iter().map(|test| Frame {
        name: test.id().into(),
        file: None,
        line: None,
    }));
    let mut profiles = vec![profile("all tests", run, run.tests.iter().zip(roots..))];
    let leaking = |test: &&&Test| matches!(test.status, Status::Leaked | Status::Known);
    for test in run.by_importance().iter().filter(leaking).take(MOST_PROFILES) {
        let root = run.tests.iter().zip(roots..).find(|(other, _)| std::ptr::eq(*other, *test));
        profiles.push(profile(&test.id(), run, root.into_iter()));
    }
    let file = File {
        schema: SCHEMA,
        exporter: format!("cargo-leakcheck {}", env!("CARGO_PKG_VERSION")),
        name: "retained memory",
        active: 0,
        shared: Shared { frames },
        profiles,
    };
    serde_json::to_writer(out, &file)?;
    Ok(())
}

/// A sample is a call site. Its weight is the retained bytes.
fn profile<'a>(name: &str, run: &Run, tests: impl Iterator<Item = (&'a Test, u32)>) -> Profile {
    let (mut samples, mut weights) = (Vec::new(), Vec::new());
    for (test, root) in tests {
        for site in test.sites() {
            let mut sample: Vec<u32> = run.frame_indices(site.stack).chain([root]).collect();
            sample.reverse();
            samples.push(sample);
            weights.push(site.bytes);
        }
    }
    let end = weights.iter().sum();
    Profile { of: "sampled", name: name.to_owned(), unit: "bytes", start: 0, end, samples, weights }
}
