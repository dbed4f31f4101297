//! The test suites of published crates, with and without leakcheck.

mod annotate;
mod checkout;
mod fetch;
mod programs;

use crate::Result;
use crate::clock::Time;
use crate::grid::median;
use crate::profile::Profile;
use crate::table::{Table, ratio};
use programs::{Mode, Suite};

/// A published crate whose tests need only cargo.
#[derive(Debug)]
pub(crate) struct Crate {
    name: &'static str,
    version: &'static str,
    features: &'static str,
}

const CRATES: [Crate; 6] = [
    published("bytes", "1.12.1", "serde"),
    published("hashbrown", "0.17.1", "rayon,serde"),
    published("indexmap", "2.14.2", "quickcheck,rayon,serde"),
    published("lru", "0.19.0", ""),
    published("slab", "0.4.12", ""),
    published("smallvec", "1.16.5", "const_new,drain_filter,drain_keep_rest,serde,union,write"),
];

const fn published(name: &'static str, version: &'static str, features: &'static str) -> Crate {
    Crate { name, version, features }
}

pub(crate) fn run(rounds: usize) -> Result<String> {
    let mut parts = Vec::new();
    for profile in [Profile::Dev, Profile::DevOpt] {
        let suites = programs::build(&CRATES, profile)?;
        parts.push(format!("{}:", profile.name()));
        parts.push(compare(&suites, rounds)?);
    }
    Ok(parts.join("\n\n"))
}

/// Runs all suites in turns.
fn compare(suites: &[Suite], rounds: usize) -> Result<String> {
    let modes: Vec<Mode> = Mode::ALL.into_iter().filter(|mode| suites[0].accepts(*mode)).collect();
    let mut times = vec![vec![Vec::new(); modes.len()]; suites.len()];
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        for (row, suite) in suites.iter().enumerate() {
            for (column, &mode) in modes.iter().enumerate() {
                times[row][column].push(suite.run(mode)?);
            }
        }
    }
    let mut head = vec!["crate", "tests", "checked"];
    head.extend(modes.iter().map(|mode| mode.name()));
    let mut table = Table::new(&head);
    let mut totals = vec![Time::default(); modes.len()];
    for (suite, times) in suites.iter().zip(&times) {
        let medians: Vec<Time> = times.iter().map(|times| median_of(times)).collect();
        totals.iter_mut().zip(&medians).for_each(|(total, median)| *total += *median);
        let (tests, checked) = (suite.tests()?, suite.checked()?);
        let named = [suite.name.clone(), tests.to_string(), checked.to_string()];
        table.row(&[&named[..], &cells(&medians)].concat());
    }
    let named = ["all", "", ""].map(str::to_owned);
    table.row(&[&named[..], &cells(&totals)].concat());
    Ok(table.text())
}

fn median_of(times: &[Time]) -> Time {
    let of = |time: fn(&Time) -> f64| median(times.iter().map(time)).unwrap_or_default();
    Time { wall: of(|time| time.wall), cpu: of(|time| time.cpu) }
}

/// The time without leakcheck, then the ratios with it: of processor time and, in parentheses, of wall-clock time.
fn cells(times: &[Time]) -> Vec<String> {
    let (without, with) = times.split_first().expect("the first mode is without leakcheck");
    let cell = |with: &Time| {
        let (wall, cpu) = (with.wall / without.wall, with.cpu / without.cpu);
        format!("× {} (× {})", ratio(cpu), ratio(wall))
    };
    let first = format!("{} ({})", seconds(without.cpu), seconds(without.wall));
    std::iter::once(first).chain(with.iter().map(cell)).collect()
}

fn seconds(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.0} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}
