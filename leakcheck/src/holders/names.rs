//! Names for what the child of a snapshot found.

use std::collections::HashMap;

use super::answer::{Group, Step};
use super::class::Class;
use super::roots::{Kind, Root, Roots};
use super::statics::{Variables, readable};
use crate::report;
use crate::report::holder::{self, Holder};
use crate::stack::frame::Frame;
use crate::stack::site::SiteId;
use crate::stack::symbols;

/// What names are made of.
#[derive(Debug)]
pub(super) struct Names<'a> {
    roots: &'a Roots,
    /// By the number of the module.
    variables: HashMap<usize, Variables>,
    labels: HashMap<SiteId, (Option<String>, Option<String>)>,
}

impl<'a> Names<'a> {
    pub(super) fn new(roots: &'a Roots) -> Self {
        Self { roots, variables: HashMap::new(), labels: HashMap::new() }
    }

    pub(super) fn holder(&mut self, group: &Group) -> Holder {
        let class = group.class();
        let root = match class {
            Class::Lost | Class::LostInACycle | Class::IndirectlyLost => None,
            _ => self.root(group.root as usize, group.place as usize),
        };
        let count = group.steps as usize;
        let steps: Vec<holder::Step> =
            group.path[..count].iter().map(|step| self.step(step)).collect();
        let mut holder = Holder {
            class,
            bytes: group.bytes,
            blocks: group.blocks,
            retained_bytes: group.retained_bytes.max(group.bytes),
            retained_blocks: group.retained_blocks.max(group.blocks),
            path: String::new(),
            root,
            steps,
            omitted_steps: group.omitted,
            members: group.members,
        };
        holder.path = report::words::path(&holder);
        holder
    }

    fn root(&mut self, index: usize, place: usize) -> Option<holder::Root> {
        let root = *self.roots.all.get(index)?;
        match root.kind {
            Kind::Static | Kind::Local => Some(self.variable(root, place)),
            Kind::Foreign => None,
            Kind::Stack | Kind::Control => {
                Some(holder::Root { thread: self.thread(root), ..holder::Root::default() })
            }
        }
    }

    fn variable(&mut self, root: Root, place: usize) -> holder::Root {
        let thread = self.thread(root);
        let module = &self.roots.modules[root.module];
        let variables =
            self.variables.entry(root.module).or_insert_with(|| Variables::of_file(&module.path));
        let (address, variable, thread) = if root.kind == Kind::Local {
            let offset = (place - root.start) as u64;
            (offset, variables.local_at(offset), thread)
        } else {
            let address = place.wrapping_sub(module.bias) as u64;
            (address, variables.static_at(address), None)
        };
        holder::Root {
            name: variable.map(|found| readable(&found.symbol)),
            module: Some(module.name()),
            offset: Some(address),
            thread,
            started_at: None,
        }
    }

    fn thread(&self, root: Root) -> Option<String> {
        // The first is the calling one.
        self.roots
            .threads
            .get(root.thread)
            .filter(|_| root.thread > 0)
            .map(|thread| thread.name.clone())
    }

    fn step(&mut self, step: &Step) -> holder::Step {
        let (label, place) =
            self.labels.entry(step.site).or_insert_with(|| label(step.site)).clone();
        holder::Step { label, bytes: step.size, place, offset: 8 * u64::from(step.at), field: None }
    }
}

/// What a call site allocates for, and where it is.
fn label(site: SiteId) -> (Option<String>, Option<String>) {
    let frames = symbols::frames(site);
    let user = frames.iter().find(|frame| frame.class == report::Class::User);
    let nearest =
        user.or_else(|| frames.iter().find(|frame| frame.class == report::Class::Dependency));
    (None, nearest.and_then(Frame::place))
}
