//! The imports between the modules of a crate.

mod circles;
mod paths;
mod tokens;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

pub use circles::circles;

use paths::Import;

/// The path of a module from the crate's root. The root has an empty path.
pub type ModulePath = Vec<String>;

/// A file uses an item that is defined in another file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The module that imports.
    pub from: ModulePath,
    /// The module that defines the item.
    pub to: ModulePath,
    /// The file, and the path as written there.
    pub evidence: String,
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |path: &ModulePath| match path.is_empty() {
            true => "the root".to_owned(),
            false => path.join("::"),
        };
        write!(f, "{} → {}   {}", name(&self.from), name(&self.to), self.evidence)
    }
}

/// The modules of a crate.
#[derive(Debug)]
pub struct Crate {
    modules: BTreeMap<ModulePath, Module>,
}

#[derive(Debug)]
struct Module {
    file: String,
    imports: Vec<Import>,
}

impl Crate {
    /// Reads the crate whose root file is in this folder. Tests are excluded, because they may use
    /// everything.
    ///
    /// # Panics
    ///
    /// If a file cannot be read.
    pub fn read(source: &Path) -> Self {
        let mut files = Vec::new();
        collect(source, &mut files);
        let texts = files.into_iter().map(|file| {
            let text = fs::read_to_string(&file).expect("a source file can be read");
            let file = file.strip_prefix(source).expect("it lies in the folder").to_owned();
            (file, text)
        });
        Self::of(texts)
    }

    /// The crate that consists of these files. Their paths are relative to the folder of the root file.
    pub fn of(files: impl IntoIterator<Item = (PathBuf, String)>) -> Self {
        let mut modules = BTreeMap::new();
        for (file, text) in files {
            let Some(path) = module_of(&file) else { continue };
            let imports = paths::imports(&tokens::without_tests(&text));
            let file = file.to_string_lossy().replace('\\', "/");
            modules.insert(path, Module { file, imports });
        }
        Self { modules }
    }

    /// All uses of a file's items in other files.
    pub fn edges(&self) -> Vec<Edge> {
        let mut edges = Vec::new();
        for (from, module) in &self.modules {
            for import in &module.imports {
                let Some(path) = self.absolute(from, &import.path) else { continue };
                let to = self.defined_in(&path, 0);
                if to != *from {
                    let evidence = format!("{}: {}", module.file, import.path.join("::"));
                    edges.push(Edge { from: from.clone(), to, evidence });
                }
            }
        }
        edges.sort();
        edges.dedup_by(|a, b| a.from == b.from && a.to == b.to);
        edges
    }

    /// The same between top-level modules, without the root, which imports from all of them.
    pub fn top_level_edges(&self) -> Vec<Edge> {
        let mut edges = Vec::new();
        for edge in self.edges() {
            let ([from, ..], [to, ..]) = (&edge.from[..], &edge.to[..]) else { continue };
            if from != to {
                let (from, to) = (vec![from.clone()], vec![to.clone()]);
                edges.push(Edge { from, to, ..edge });
            }
        }
        edges.sort();
        edges.dedup_by(|a, b| a.from == b.from && a.to == b.to);
        edges
    }

    /// A path from the crate's root. `None` if it leads to another crate.
    fn absolute(&self, module: &ModulePath, path: &[String]) -> Option<ModulePath> {
        let first = path.first()?;
        let mut base = module.clone();
        let mut rest = path;
        match first.as_str() {
            "crate" => {
                base.clear();
                rest = &path[1..];
            }
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    base.pop()?;
                    rest = &rest[1..];
                }
            }
            child => {
                let mut path = module.clone();
                path.push(child.to_owned());
                self.modules.contains_key(&path).then_some(())?;
            }
        }
        base.extend(rest.iter().cloned());
        Some(base)
    }

    /// The module that defines the item at a path, through re-exports.
    fn defined_in(&self, path: &[String], depth: usize) -> ModulePath {
        let prefixes = (0..=path.len()).rev().map(|length| &path[..length]);
        let module = prefixes.into_iter().find(|prefix| self.modules.contains_key(*prefix));
        let module = module.unwrap_or_default().to_vec();
        let Some(name) = path.get(module.len()).filter(|_| depth < 8) else { return module };
        let Some(found) = self.modules.get(&module) else { return module };
        let reexports = found.imports.iter().filter(|import| import.is_use && import.name == *name);
        let targets = reexports.filter_map(|import| self.absolute(&module, &import.path));
        // A module that names its own item through `self` would be found again.
        match targets.into_iter().find(|target| target.as_slice() != path) {
            Some(target) => self.defined_in(&target, depth + 1),
            None => module,
        }
    }
}

/// The module of a file. `None` for build scripts and tests.
fn module_of(file: &Path) -> Option<ModulePath> {
    let parts: Vec<String> =
        file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let is_test = parts.iter().any(|part| part == "tests");
    match &parts[..] {
        _ if is_test => None,
        [root] if root == "lib" || root == "main" => Some(Vec::new()),
        [folders @ .., last] if last == "mod" => Some(folders.to_vec()),
        _ => Some(parts),
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources can be read") {
        let path = entry.expect("a folder of sources can be read").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
