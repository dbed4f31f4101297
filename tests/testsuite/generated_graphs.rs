//! Random heap graphs with every kind of root, whose classes are known to the byte.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use leakcheck_tests::{Fixture, Folder};
use serde_json::Value;

/// The number of graphs, and of processes that generate them.
const GRAPHS: u64 = 200;
const PROCESSES: u64 = 4;

/// The bytes in a report that a function allocated: the function, the class, the bytes.
type Told = BTreeMap<(&'static str, String), u64>;

/// The functions that allocate leaves and nodes, and the expected classes.
const MAKERS: [(&str, &str); 5] = [
    ("kept_by_a_static", "held_by_static"),
    ("kept_by_a_local", "held_by_thread_local"),
    ("forgotten", "lost"),
    ("in_a_cycle", "lost_in_a_cycle"),
    ("hanging", "indirectly_lost"),
];

/// Generates random graphs, or lists of `nodes` nodes, and returns the expected and the reported classes of
/// each.
fn run(mode: &str, first: u64, count: u64, nodes: u64) -> Vec<(Told, Told)> {
    let folder = Folder::new();
    let made = folder.path().join("made.txt");
    let output = Command::new(Fixture::new("holders", "generated").program())
        .env("FIRST_SEED", first.to_string())
        .env("SEEDS", count.to_string())
        .env("NODES", nodes.to_string())
        .env("MADE", &made)
        .env("LEAK_HOLDERS", mode)
        .env("LEAK_REPORT_DIR", folder.path())
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made = fs::read_to_string(&made).expect("it says what it has made");
    let reports = folder.reports();
    let graph = |line: &str| {
        let mut numbers = line.split(' ').map(|number| number.parse::<u64>().expect("a number"));
        let name = format!("seed {}", numbers.next().expect("a seed"));
        let expected = MAKERS.into_iter().zip(numbers).filter(|(_, bytes)| *bytes > 0);
        let expected = expected.map(|((by, class), bytes)| ((by, class.to_owned()), bytes));
        let report = reports.values().find(|report| report["test"]["name"] == *name);
        (expected.collect(), report.map(told).unwrap_or_default())
    };
    made.lines().map(graph).collect()
}

fn told(report: &Value) -> Told {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut told = Told::new();
    for site in list(&report["call_sites"]) {
        let through = |maker: &str| {
            let end = format!("::{maker}");
            let function = |frame: &Value| frame["function"].as_str().map(str::to_owned);
            let frames = list(&site["frames"]);
            frames.iter().filter_map(function).any(|function| function.ends_with(&end))
        };
        let Some((by, _)) = MAKERS.into_iter().find(|(by, _)| through(by)) else { continue };
        for holder in list(&site["holders"]) {
            let class = holder["class"].as_str().unwrap_or_default().to_owned();
            *told.entry((by, class)).or_default() += holder["bytes"].as_u64().unwrap_or_default();
        }
    }
    told
}

/// How the graphs of a run were classified.
#[derive(Debug, Default)]
struct Score {
    graphs: u64,
    /// The graphs of which every byte has the expected class.
    exact: u64,
    bytes: u64,
    /// Lost bytes that seem to be possibly held.
    possible: u64,
    /// Bytes of another wrong class.
    wrong: u64,
}

fn score(mode: &'static str) -> Score {
    let each = GRAPHS / PROCESSES;
    let graphs: Vec<(Told, Told)> = std::thread::scope(|scope| {
        let runs =
            (0..PROCESSES).map(|number| scope.spawn(move || run(mode, 1 + number * each, each, 0)));
        let runs: Vec<_> = runs.collect();
        runs.into_iter().flat_map(|run| run.join().expect("it runs")).collect()
    });
    let mut score = Score { graphs: graphs.len() as u64, ..Score::default() };
    for (number, (expected, told)) in graphs.iter().enumerate() {
        score.exact += u64::from(expected == told);
        if expected != told {
            println!("graph {}: {told:?} in place of {expected:?}", number + 1);
        }
        for ((by, class), bytes) in told {
            score.bytes += bytes;
            let own = MAKERS.iter().any(|(maker, of)| maker == by && of == class);
            match class.as_str() {
                _ if own => {}
                "possibly_held" => score.possible += bytes,
                _ => score.wrong += bytes,
            }
        }
    }
    println!("{mode}: {score:?}");
    score
}

#[test]
fn two_hundred_random_graphs_are_classified_correctly_in_a_thorough_process() {
    let score = score("on");
    assert_eq!(score.graphs, GRAPHS, "{score:?}");
    // Stale values on stacks, in nodes of B-trees and in memory of the C library may look like pointers.
    assert!(score.wrong * 200 <= score.bytes, "{score:?}");
    assert!(score.exact >= GRAPHS * 95 / 100, "{score:?}");
    assert!(score.possible * 10 <= score.bytes, "{score:?}");
}

/// Nodes of B-trees and futures have stale pointers where they have no elements or fields yet.
#[test]
fn two_hundred_random_graphs_are_classified_at_the_first_look() {
    let score = score("auto");
    assert_eq!(score.graphs, GRAPHS);
    assert!(score.exact >= GRAPHS * 90 / 100, "{score:?}");
    assert!((score.possible + score.wrong) * 10 <= score.bytes, "{score:?}");
}

#[test]
fn lists_of_a_million_nodes_are_classified_correctly() {
    let graphs = run("on", 1, 1, 1_000_000);
    let [(expected, told)] = &graphs[..] else { panic!("{} graphs", graphs.len()) };
    assert_eq!(expected, told);
}
