//! From records to the tree of imports.
//!
//! An import in another one is on the same stack, or, of ES modules, the modules that its `import` statements name: those run
//! before it, each once. Such a module belongs to the first that imports it, in the order in which they run.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use percent_encoding::percent_decode_str;

use super::{EsModules, Import, ImportKind, ImportProfile};

/// How deep the tree may be. What is deeper is not shown; its time is that of what made it.
const DEPTH_MAX: usize = 400;

/// What a runtime client has told.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// When the first record was made, by the client's clock and by ours.
    pub(super) hello: Option<(Duration, Instant)>,
    pub(super) task_root: String,
    pub(super) modules_before: u64,
    pub(super) memory_before_kb: Option<i64>,
    pub(super) begun: Vec<Begun>,
    /// Where the import of a number is.
    pub(super) index: HashMap<u64, usize>,
    /// Which ES module imports which, by their URLs, and in which line.
    pub(super) edges: Vec<(String, String, Option<u32>)>,
    /// What ES modules import that is not there: from where, what, in which line, and the error.
    pub(super) unresolved: Vec<(String, String, Option<u32>, String)>,
    pub(super) linking_from: Option<Duration>,
    /// Whether there are hooks, and whether they are in a thread of their own.
    pub(super) hooks: Option<(bool, bool)>,
    pub(super) done: Option<Duration>,
    pub(super) spent_recording: Option<Duration>,
    pub(super) left_out: usize,
}

/// An import that has begun.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) parent: Option<usize>,
    pub(super) kind: ImportKind,
    pub(super) name: String,
    pub(super) importer: Option<String>,
    pub(super) line: Option<u32>,
    pub(super) thread: u32,
    pub(super) start: Duration,
    pub(super) memory_kb: Option<i64>,
    pub(super) ended: Option<Ended>,
    pub(super) waits_from: Option<Duration>,
}

/// How it ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) at: Duration,
    pub(super) memory_kb: Option<i64>,
    pub(super) file: Option<String>,
    pub(super) error: Option<String>,
}

/// An import before its place in the tree is known.
struct Node {
    import: Import,
    /// How long it was on the stack.
    spent: Duration,
    /// By how much memory grew meanwhile.
    grown_kb: Option<i64>,
    /// Whether it is part of what was on the stack below it.
    is_on_stack: bool,
    children: Vec<usize>,
}

/// Makes the profile of what was told until `init_ended`.
pub(super) fn made_of(records: &Records, init_ended: Instant) -> ImportProfile {
    let mut profile = ImportProfile {
        has_begun: records.hello.is_some(),
        is_complete: records.done.is_some(),
        left_out: records.left_out,
        task_root: records.task_root.clone(),
        modules_before: records.modules_before,
        memory_before_kb: records.memory_before_kb,
        spent_recording: records.spent_recording,
        ..ImportProfile::default()
    };
    let Some((hello, heard)) = records.hello else { return profile };
    let end = records.done.unwrap_or_else(|| hello + init_ended.saturating_duration_since(heard));
    profile.lasted = end.saturating_sub(hello);
    profile.es_modules = records.hooks.map(|hooks| match hooks {
        (false, _) => EsModules::Unknown,
        (true, false) => EsModules::Measured,
        (true, true) => EsModules::MeasuredFromAThread,
    });
    let node = |begun: &Begun| node(begun, hello, end, &records.task_root);
    let mut nodes: Vec<Node> = records.begun.iter().map(node).collect();
    link_es_modules(records, &mut nodes);
    nodes.extend(unresolved(records, hello, &nodes));
    nodes.extend(linking(records, hello, end));
    settle(&mut nodes);
    let left_out = write_down(nodes, &mut profile.imports);
    profile.left_out += left_out;
    profile
}

fn node(begun: &Begun, hello: Duration, end: Duration, task_root: &str) -> Node {
    let kind = begun.kind;
    let ended_at = begun.ended.as_ref().map_or(end, |ended| ended.at).max(begun.start);
    let all = ended_at - begun.start;
    let until_wait = begun.waits_from.map(|at| at.min(ended_at) - begun.start);
    let ended = begun.ended.as_ref();
    let file = match kind {
        ImportKind::EsModule => Some(path_of(&begun.name)),
        ImportKind::CommonJs if begun.name.starts_with('/') => Some(begun.name.clone()),
        _ => ended.and_then(|ended| ended.file.clone()),
    };
    let name = match kind {
        ImportKind::EsModule | ImportKind::CommonJs => {
            file.as_deref().map_or_else(|| begun.name.clone(), |file| short(file, task_root).to_owned())
        }
        _ => begun.name.clone(),
    };
    let grown_kb = match (begun.memory_kb, ended.and_then(|ended| ended.memory_kb)) {
        (Some(before), Some(after)) => Some(after - before),
        _ => None,
    };
    // What the runtime client loads, the function's own module, is imported by nobody.
    let is_imported = begun.parent.is_some() || begun.thread > 0;
    let imported_by = begun.importer.clone().filter(|_| is_imported);
    Node {
        import: Import {
            parent: begun.parent,
            depth: 0,
            kind,
            name,
            file,
            imported_by: imported_by.map(|file| (short(&file, task_root).to_owned(), begun.line)),
            thread: begun.thread,
            start: begun.start.saturating_sub(hello),
            total: Duration::ZERO,
            own: Duration::ZERO,
            memory_kb: None,
            own_memory_kb: None,
            error: ended.and_then(|ended| ended.error.clone()),
            is_unfinished: ended.is_none(),
            awaited: until_wait.map(|_| all),
        },
        spent: until_wait.unwrap_or(all),
        grown_kb,
        is_on_stack: begun.parent.is_some(),
        children: Vec::new(),
    }
}

/// The path of a `file:` URL.
fn path_of(url: &str) -> String {
    let path = url.strip_prefix("file://").unwrap_or(url);
    let path = path.split(['?', '#']).next().unwrap_or(path);
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

/// A file as people know it: of a package by its name there, of the function from its root, of Python by its name there.
fn short<'a>(file: &'a str, task_root: &str) -> &'a str {
    for packages in ["/node_modules/", "/site-packages/", "/dist-packages/"] {
        if let Some((_, inside)) = file.rsplit_once(packages) {
            return inside;
        }
    }
    let inside = file.strip_prefix(task_root).and_then(|inside| inside.strip_prefix('/'));
    if let Some(inside) = inside.filter(|_| !task_root.is_empty()) {
        return inside;
    }
    let of_python = file.rsplit_once("/lib/python3.").and_then(|(_, rest)| rest.split_once('/'));
    of_python.map_or(file, |(_, inside)| inside)
}

/// Gives each module that an `import` statement has brought to the first that has it, in the order in which they run.
fn link_es_modules(records: &Records, nodes: &mut [Node]) {
    let mut by_path: HashMap<&str, usize> = HashMap::new();
    for (at, node) in nodes.iter().enumerate() {
        // By `require` it is on a stack.
        if let (false, Some(file)) = (node.is_on_stack, &node.import.file) {
            by_path.entry(file).or_insert(at);
        }
    }
    let mut imports: HashMap<usize, Vec<(usize, Option<u32>)>> = HashMap::new();
    let mut is_imported = vec![false; nodes.len()];
    // First what the runtime client imports, whoever else does: modules may go round in circles.
    let mut roots = Vec::new();
    for (parent, child, line) in &records.edges {
        let (parent, child) = (path_of(parent), path_of(child));
        match (by_path.get(&*parent), by_path.get(&*child)) {
            (Some(&parent), Some(&child)) => {
                imports.entry(parent).or_default().push((child, *line));
                is_imported[child] = true;
            }
            (None, Some(&child)) => roots.push(child),
            (_, None) => {}
        }
    }
    let mut is_placed = vec![false; nodes.len()];
    roots.extend((0..nodes.len()).filter(|at| !is_imported[*at]));
    let mut found: Vec<(usize, usize, Option<u32>)> = Vec::new();
    for root in roots {
        if std::mem::replace(&mut is_placed[root], true) {
            continue;
        }
        // Of each module, how many of its imports have been looked at: depth first, without recursion.
        let mut walk = vec![(root, 0)];
        while let Some((at, next)) = walk.last_mut() {
            let Some(&(child, line)) = imports.get(at).and_then(|imports| imports.get(*next)) else {
                walk.pop();
                continue;
            };
            *next += 1;
            if !is_placed[child] {
                is_placed[child] = true;
                found.push((*at, child, line));
                walk.push((child, 0));
            }
        }
    }
    for (parent, child, line) in found {
        let importer = nodes[parent].import.name.clone();
        let import = &mut nodes[child].import;
        import.parent = Some(parent);
        import.imported_by = Some((importer, line));
    }
}

/// What ES modules import that is not there.
fn unresolved(records: &Records, hello: Duration, nodes: &[Node]) -> Vec<Node> {
    let at = records.linking_from.unwrap_or(hello).saturating_sub(hello);
    let failed = |(parent, name, line, error): &(String, String, Option<u32>, String)| {
        let parent = path_of(parent);
        let index = nodes.iter().position(|node| node.import.file.as_deref() == Some(&*parent));
        let importer = short(&parent, &records.task_root).to_owned();
        plain(ImportKind::EsModule, name.clone(), at, Duration::ZERO, index)
            .failed(error.clone(), (importer, *line))
    };
    records.unresolved.iter().map(failed).collect()
}

/// What came before the first ES module ran.
fn linking(records: &Records, hello: Duration, end: Duration) -> Option<Node> {
    let from = records.linking_from?;
    let runs = records.begun.iter().filter(|begun| begun.parent.is_none() && begun.start >= from);
    let until = runs.map(|begun| begun.start).min().unwrap_or(end).max(from);
    let modules: std::collections::HashSet<&str> =
        records.edges.iter().map(|(_, child, _)| &**child).filter(|child| !child.is_empty()).collect();
    let name = match modules.len() {
        0 => "resolving, reading and compiling ES modules".to_owned(),
        1 => "resolving, reading and compiling 1 ES module".to_owned(),
        count => format!("resolving, reading and compiling {count} ES modules"),
    };
    Some(plain(ImportKind::Linking, name, from.saturating_sub(hello), until - from, None))
}

fn plain(kind: ImportKind, name: String, start: Duration, spent: Duration, parent: Option<usize>) -> Node {
    Node {
        import: Import {
            parent,
            depth: 0,
            kind,
            name,
            file: None,
            imported_by: None,
            thread: 0,
            start,
            total: Duration::ZERO,
            own: Duration::ZERO,
            memory_kb: None,
            own_memory_kb: None,
            error: None,
            is_unfinished: false,
            awaited: None,
        },
        spent,
        grown_kb: None,
        is_on_stack: false,
        children: Vec::new(),
    }
}

impl Node {
    fn failed(mut self, error: String, imported_by: (String, Option<u32>)) -> Self {
        self.import.error = Some(error);
        self.import.imported_by = Some(imported_by);
        self
    }
}

/// Finds what each took by itself, and with all below it.
fn settle(nodes: &mut [Node]) {
    for at in 0..nodes.len() {
        if let Some(parent) = nodes[at].import.parent {
            nodes[parent].children.push(at);
        }
    }
    for at in 0..nodes.len() {
        let (mut inside, mut grown_inside) = (Duration::ZERO, 0);
        for &child in &nodes[at].children {
            if nodes[child].is_on_stack {
                inside += nodes[child].spent;
                grown_inside += nodes[child].grown_kb.unwrap_or(0);
            }
        }
        let node = &mut nodes[at];
        node.import.own = node.spent.saturating_sub(inside);
        node.import.own_memory_kb = node.grown_kb.map(|grown| grown - grown_inside);
    }
    // From the leaves up. A cycle is not possible: on a stack, what is above began before, and where `import` statements put
    // a module under another one, neither is on a stack and both were walked to once.
    for at in in_order(nodes).into_iter().rev() {
        let mut total = nodes[at].import.own;
        let mut memory_kb = nodes[at].import.own_memory_kb;
        for &child in &nodes[at].children {
            total += nodes[child].import.total;
            if let (Some(sum), Some(grown)) = (&mut memory_kb, nodes[child].import.memory_kb) {
                *sum += grown;
            }
        }
        nodes[at].import.total = total;
        nodes[at].import.memory_kb = memory_kb;
    }
}

/// All of them, each behind what made it.
fn in_order(nodes: &[Node]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..nodes.len()).filter(|at| nodes[*at].import.parent.is_none()).collect();
    let mut next = 0;
    while let Some(&at) = order.get(next) {
        order.extend(&nodes[at].children);
        next += 1;
    }
    order
}

/// Writes them down, the largest first; returns how many are too deep.
fn write_down(mut nodes: Vec<Node>, imports: &mut Vec<Import>) -> usize {
    let totals: Vec<Duration> = nodes.iter().map(|node| node.import.total).collect();
    let largest_last = |list: &mut Vec<usize>| list.sort_by_key(|at| (totals[*at], std::cmp::Reverse(*at)));
    let mut waiting: Vec<usize> = (0..nodes.len()).filter(|at| nodes[*at].import.parent.is_none()).collect();
    largest_last(&mut waiting);
    let mut waiting: Vec<(usize, Option<usize>, usize)> =
        waiting.into_iter().map(|at| (at, None, 0)).collect();
    let all = nodes.len();
    while let Some((at, parent, depth)) = waiting.pop() {
        let mut import = nodes[at].import.clone();
        (import.parent, import.depth) = (parent, depth);
        let place = imports.len();
        imports.push(import);
        let mut children = std::mem::take(&mut nodes[at].children);
        if depth < DEPTH_MAX {
            largest_last(&mut children);
            waiting.extend(children.into_iter().map(|child| (child, Some(place), depth + 1)));
        }
    }
    all - imports.len()
}
