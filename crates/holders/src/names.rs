//! Names for the addresses in an answer.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Mutex;

use leakcheck_ledger::thread::running;
use leakcheck_ledger::{SiteId, call_site};
use leakcheck_report::{self as report, Amount, Frame, Holder, reference_path};
use leakcheck_report::{Class as FrameClass, Reachability};
use leakcheck_symbols::types::{Type, Types};
use leakcheck_symbols::variables::{Variables, readable};
use leakcheck_symbols::{self as symbols, CallStack};

use crate::answer::{Group, Step};
use crate::labels;
use crate::roots::{Root, RootKind, Roots};

/// Looks up names.
pub(crate) struct Names<'a> {
    roots: &'a Roots,
    /// By the index of the module.
    variables: HashMap<usize, Variables>,
    types: HashMap<usize, Option<Types>>,
    cache: NameCache,
}

/// The names that were found so far, which are valid for the life of the process.
#[derive(Debug, Default)]
struct NameCache {
    sites: HashMap<SiteId, SiteInfo>,
    /// By the call site of a block, and the offset in it.
    fields: HashMap<(SiteId, u64), FieldAt>,
    /// By file, whether it is a thread-local, and the address in the file.
    variables: HashMap<(PathBuf, bool, u64), Option<String>>,
}

/// A field of a block.
#[derive(Clone, Debug)]
struct FieldAt {
    /// The path of the field.
    name: Option<String>,
    /// Whether the field's type allows a pointer.
    may_point: bool,
}

impl Default for FieldAt {
    fn default() -> Self {
        Self { name: None, may_point: true }
    }
}

/// The cache, taken while names are looked up and put back afterwards. It is never locked for long,
/// and a child of a fork that finds it locked starts with an empty one.
static CACHE: Mutex<Option<NameCache>> = Mutex::new(None);

impl Drop for Names<'_> {
    fn drop(&mut self) {
        if let Ok(mut cache) = CACHE.try_lock() {
            *cache = Some(std::mem::take(&mut self.cache));
        }
    }
}

/// What is known about the blocks of a call site.
#[derive(Debug, Default)]
struct SiteInfo {
    text: Option<String>,
    /// The source location of the call site.
    place: Option<String>,
    is_refcounted: bool,
    /// The index of the module that describes the content's type, the type, and the offset of the
    /// content.
    content: Option<(usize, Type, u64)>,
}

impl<'a> Names<'a> {
    pub(crate) fn new(roots: &'a Roots) -> Self {
        let cache = CACHE.try_lock().ok().and_then(|mut cache| cache.take()).unwrap_or_default();
        Self { roots, variables: HashMap::new(), types: HashMap::new(), cache }
    }

    pub(crate) fn holder(&mut self, group: &Group) -> Holder {
        let mut reachability = group.reachability();
        let root = match reachability {
            Reachability::Lost | Reachability::LostInACycle | Reachability::IndirectlyLost => None,
            _ => self.root(group.root as usize, group.root_address as usize),
        };
        let count = group.steps as usize;
        let mut steps: Vec<report::Step> =
            group.path[..count].iter().map(|step| self.step(step)).collect();
        let all_may_point =
            self.add_fields(&mut steps, group, reachability == Reachability::LostInACycle);
        if !reachability.is_lost() && !all_may_point {
            reachability = Reachability::PossiblyHeld;
        }
        let blocks = Amount { bytes: group.bytes, blocks: group.blocks };
        let mut holder = Holder::new(reachability, blocks);
        holder.retained_bytes = group.retained_bytes;
        holder.retained_blocks = group.retained_blocks;
        holder.root = root;
        holder.steps = steps;
        holder.omitted_steps = group.omitted;
        holder.members = group.members;
        holder.path = reference_path::path(&holder);
        holder
    }

    fn root(&mut self, index: usize, address: usize) -> Option<report::Root> {
        let root = *self.roots.all.get(index)?;
        match root.kind {
            RootKind::Static | RootKind::ThreadLocal => Some(self.variable(root, address)),
            RootKind::Foreign => None,
            RootKind::Stack | RootKind::ThreadControlBlock => {
                let mut found = report::Root::default();
                found.thread = self.thread(root);
                found.started_at = self.started_at(root);
                Some(found)
            }
        }
    }

    fn variable(&mut self, root: Root, address: usize) -> report::Root {
        let module = &self.roots.modules[root.module];
        let is_local = root.kind == RootKind::ThreadLocal;
        // Addresses in thread-locals are offsets from their start.
        let address = if is_local { address } else { address.wrapping_sub(module.bias) } as u64;
        let key = (module.path.clone(), is_local, address);
        let path = match self.cache.variables.get(&key) {
            Some(known) => known.clone(),
            None => {
                let path = self.find_variable(root.module, is_local, address);
                self.cache.variables.insert(key, path.clone());
                path
            }
        };
        let mut found = report::Root::default();
        found.name = path;
        found.module = Some(module.name());
        found.offset = Some(address);
        found.thread = self.thread(root).filter(|_| is_local);
        found
    }

    /// The path of the variable at an address, with the fields that contain the address.
    fn find_variable(&mut self, module: usize, is_local: bool, address: u64) -> Option<String> {
        let file = &self.roots.modules[module].path;
        let variables = self.variables.entry(module).or_insert_with(|| Variables::of_file(file));
        let found =
            if is_local { variables.local_at(address) } else { variables.static_at(address) };
        let variable = found?.clone();
        let mut path = readable(&variable.symbol);
        let offset = address - variable.start;
        for field in self.fields_of_variable(module, &variable.symbol, offset) {
            path.push('.');
            path.push_str(&field);
        }
        Some(path)
    }

    fn fields_of_variable(&mut self, module: usize, symbol: &str, offset: u64) -> Vec<String> {
        let Some(types) = self.types(module) else { return Vec::new() };
        let of = types.of_variable(symbol);
        of.map_or(Vec::new(), |of| types.fields_at(of, offset))
    }

    fn started_at(&mut self, root: Root) -> Option<String> {
        let tid = self.roots.threads.get(root.thread)?.tid;
        match running::start_site(tid) {
            0 => None,
            site => self.site_info(site).place.clone(),
        }
    }

    fn thread(&self, root: Root) -> Option<String> {
        // The first thread is the calling one.
        self.roots
            .threads
            .get(root.thread)
            .filter(|_| root.thread > 0)
            .map(|thread| thread.name.clone())
    }

    fn step(&mut self, step: &Step) -> report::Step {
        let SiteInfo { text, place, .. } = self.site_info(step.site);
        let mut named = report::Step::default();
        named.label.clone_from(text);
        named.place.clone_from(place);
        named.bytes = step.size;
        named.offset = 8 * u64::from(step.at);
        named
    }

    /// Adds the fields in which each step points to the next. Returns `false` if the type of one of
    /// them excludes a pointer.
    fn add_fields(&mut self, steps: &mut [report::Step], group: &Group, is_cycle: bool) -> bool {
        let mut all_may_point = true;
        let sites: Vec<SiteId> = group.path[..steps.len()].iter().map(|step| step.site).collect();
        for (index, step) in steps.iter_mut().enumerate() {
            // The offset of a step is in the previous one. Around a cycle, the last step precedes
            // the first.
            let before = match index.checked_sub(1) {
                Some(before) => before,
                None if is_cycle => sites.len() - 1,
                None => continue,
            };
            let field = self.field_at(sites[before], step.offset);
            step.field = field.name;
            all_may_point &= field.may_point;
        }
        all_may_point
    }

    fn field_at(&mut self, site: SiteId, offset: u64) -> FieldAt {
        if let Some(known) = self.cache.fields.get(&(site, offset)) {
            return known.clone();
        }
        let field = self.find_field(site, offset).unwrap_or_default();
        self.cache.fields.insert((site, offset), field.clone());
        field
    }

    fn find_field(&mut self, site: SiteId, offset: u64) -> Option<FieldAt> {
        let SiteInfo { content: Some((module, of, start)), .. } = *self.site_info(site) else {
            return None;
        };
        let types = self.types(module)?;
        let size = types.size_of(of).filter(|size| *size > 0)?;
        // The content follows the reference counts, aligned as its type requires.
        let start = if start == 0 { 0 } else { start.max(types.alignment_of(of).unwrap_or(0)) };
        let offset = offset.checked_sub(start)? % size;
        let fields = types.fields_at(of, offset);
        let may_point = !size.is_multiple_of(8) || types.may_point(of, offset);
        Some(FieldAt { name: (!fields.is_empty()).then(|| fields.join(".")), may_point })
    }

    /// Returns what is known about a call site.
    fn site_info(&mut self, site: SiteId) -> &SiteInfo {
        if !self.cache.sites.contains_key(&site) {
            let info = self.find_site_info(site);
            self.cache.sites.insert(site, info);
        }
        &self.cache.sites[&site]
    }

    fn find_site_info(&mut self, site: SiteId) -> SiteInfo {
        let addresses = call_site::addresses(site);
        let stack = CallStack { id: site, addresses };
        let frames = symbols::frames(&stack);
        let has_class = |class| move |frame: &&Frame| frame.class == class;
        let nearest = frames.iter().find(has_class(FrameClass::User));
        let nearest = nearest.or_else(|| frames.iter().find(has_class(FrameClass::Dependency)));
        let mut info = SiteInfo { place: nearest.and_then(Frame::place), ..SiteInfo::default() };
        // The frames of library functions that allocate for the user's code.
        let inner = frames.iter().take_while(|frame| !has_class(FrameClass::User)(frame)).count();
        let mut functions = Vec::new();
        let mut module = None;
        for address in stack.addresses.into_iter().take(MAX_FRAMES) {
            let Some(index) = self.module_of(address) else { continue };
            let bias = self.roots.modules[index].bias;
            let Some(types) = self.types(index) else { break };
            // A return address may be that of the next function.
            functions.extend(types.functions((address - bias - 1) as u64));
            module = Some(index);
            if functions.len() > inner {
                break;
            }
        }
        functions.truncate(inner);
        if let Some(found) = labels::of(&functions) {
            info.text = Some(found.text);
            info.is_refcounted = found.is_refcounted;
            info.content = found.content.zip(module).map(|((of, at), module)| (module, of, at));
        }
        info
    }

    fn module_of(&self, address: usize) -> Option<usize> {
        self.roots
            .modules
            .iter()
            .position(|module| module.code.iter().any(|code| code.contains(&address)))
    }

    fn types(&mut self, module: usize) -> Option<&Types> {
        let path = &self.roots.modules[module].path;
        self.types.entry(module).or_insert_with(|| Types::open(path)).as_ref()
    }

    /// Splits call sites into those that allocate reference-counted blocks and those that allocate
    /// others. Both are sorted.
    pub(crate) fn split_by_refcounts(&mut self, sites: &[SiteId]) -> (Vec<SiteId>, Vec<SiteId>) {
        let known: Vec<(SiteId, bool)> = sites
            .iter()
            .filter_map(|site| {
                let info = self.site_info(*site);
                info.text.is_some().then_some((*site, info.is_refcounted))
            })
            .collect();
        let of = |wanted: bool| {
            let mut sites: Vec<SiteId> = known
                .iter()
                .filter(|(_, is_refcounted)| *is_refcounted == wanted)
                .map(|(site, _)| *site)
                .collect();
            sites.sort_unstable();
            sites
        };
        (of(true), of(false))
    }
}

/// The maximum number of frames that are searched for the type of a block.
const MAX_FRAMES: usize = 24;
