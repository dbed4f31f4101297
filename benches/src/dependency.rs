//! What a dev-dependency costs to build, in a new package with that dependency and one test.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::cargo::{cargo, output, root, work};
use crate::clock::{Time, timed};
use crate::grid::median;
use crate::profile::{RECOMMENDED, optimize};
use crate::table::Table;

struct Dependency {
    name: &'static str,
    /// Its line in the manifest.
    line: String,
    /// Packages that are optimized in the dev profile.
    optimized: &'static [&'static str],
}

fn dependencies() -> Vec<Dependency> {
    let leakcheck = format!("leakcheck = {{ path = {:?} }}", root().join("leakcheck"));
    let published = |name, line: &str| Dependency { name, line: line.to_owned(), optimized: &[] };
    vec![
        published("none", ""),
        published("leakcheck", &leakcheck),
        Dependency {
            name: "leakcheck, with the recommended lines",
            line: leakcheck,
            optimized: &RECOMMENDED,
        },
        published("stats_alloc", "stats_alloc = \"0.1\""),
        published("mockalloc", "mockalloc = \"0.1\""),
        published("dhat", "dhat = \"0.3\""),
        published("insta", "insta = \"1\""),
    ]
}

pub(crate) fn run(rounds: usize) -> Result<String> {
    let packages: Vec<(Dependency, PathBuf)> = dependencies()
        .into_iter()
        .enumerate()
        .map(|(at, dependency)| {
            let folder = package(at, &dependency)?;
            Ok((dependency, folder))
        })
        .collect::<Result<_>>()?;
    let mut times = vec![Vec::new(); packages.len()];
    let mut crates = vec![0; packages.len()];
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        for (at, (dependency, folder)) in packages.iter().enumerate() {
            let (time, built) = build(dependency, folder)?;
            times[at].push(time);
            crates[at] = built;
        }
    }
    let mut table =
        Table::new(&["dev-dependency", "`cargo test --no-run`", "processor time", "crates"]);
    for (at, (dependency, _)) in packages.iter().enumerate() {
        let seconds = |of: fn(&Time) -> f64| {
            format!("{:.1} s", median(times[at].iter().map(of)).unwrap_or_default())
        };
        let (wall, cpu) = (seconds(|time| time.wall), seconds(|time| time.cpu));
        table.row(&[dependency.name.to_owned(), wall, cpu, crates[at].to_string()]);
    }
    Ok(table.text())
}

/// Creates a package with the dependency and downloads all crates.
fn package(at: usize, dependency: &Dependency) -> Result<PathBuf> {
    let folder = work().join("build").join(at.to_string());
    let manifest = format!(
        "[package]\nname = \"fresh\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
         [dev-dependencies]\n{}\n\n[workspace]\n",
        dependency.line
    );
    let test = "#[cfg(test)]\nmod tests {\n    #[test]\n    fn adds() {\n        assert_eq!(1 + 1, 2);\n    }\n}\n";
    let written = fs::create_dir_all(folder.join("src"))
        .and_then(|()| fs::write(folder.join("Cargo.toml"), manifest))
        .and_then(|()| fs::write(folder.join("src/lib.rs"), test));
    written.map_err(|error| format!("`{}`: {error}", folder.display()))?;
    output(cargo().arg("fetch").current_dir(&folder))?;
    Ok(folder)
}

/// The time of a build with an empty target directory, and the number of crates it builds in addition to the
/// package itself.
fn build(dependency: &Dependency, folder: &Path) -> Result<(Time, usize)> {
    let target = folder.join("target");
    if target.exists() {
        fs::remove_dir_all(&target).map_err(|error| format!("`{}`: {error}", target.display()))?;
    }
    let mut cargo = cargo();
    cargo.args(["test", "--no-run", "--offline", "--message-format=json"]);
    cargo.args(optimize(dependency.optimized)).current_dir(folder);
    // As cargo builds dependencies from a registry. leakcheck is one by path here.
    cargo.env("CARGO_INCREMENTAL", "0");
    let (messages, time) = timed(&mut cargo)?;
    Ok((time, crates(&messages)))
}

/// The number of packages in cargo's messages, without the package itself.
fn crates(messages: &str) -> usize {
    let built: BTreeSet<String> = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter_map(|message| message["package_id"].as_str().map(str::to_owned))
        .collect();
    built.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_counts_once_and_the_root_package_does_not() {
        let message =
            |reason: &str, id: &str| format!("{{\"reason\":\"{reason}\",\"package_id\":\"{id}\"}}");
        let messages = [
            message("compiler-artifact", "libc"),
            message("build-script-executed", "libc"),
            message("compiler-artifact", "libc"),
            message("compiler-artifact", "gimli"),
            message("compiler-artifact", "fresh"),
        ];
        assert_eq!(crates(&messages.join("\n")), 2);
    }
}
