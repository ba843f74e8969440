//! From blocks to nodes: what each block is, what it refers to, and in which order to evaluate.
//!
//! Planning is pure and finds everything that can be said without evaluating: unknown components,
//! wrong labels, duplicates, references that lead nowhere, cycles.

use std::{collections::HashMap, sync::Arc};

use syntax::{
    Diagnostic, Diagnostics, SourceFile,
    ast::{Block, Statement},
    did_you_mean,
    stdlib::Library,
};

use super::{Definition, Stability, definition::Label};

/// A configuration that is sound as far as can be seen without evaluating it.
#[derive(Debug, Default)]
pub struct Plan {
    /// The nodes, each behind all that it refers to.
    pub(super) nodes: Vec<PlannedNode>,
}

/// A block and its place.
#[derive(Debug)]
pub(super) struct PlannedNode {
    pub(super) id: Arc<str>,
    pub(super) definition: &'static Definition,
    pub(super) source: SourceFile,
    pub(super) block: Arc<Block>,
    /// Ids of the nodes that its expressions name.
    pub(super) references: Vec<Arc<str>>,
}

impl Plan {
    /// Reads the files as one configuration.
    pub fn new(
        files: &[SourceFile],
        table: &'static [Definition],
        stability: Stability,
        library: &Library,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let mut nodes = Vec::new();
        for source in files {
            let (file, errors) = syntax::parse(source);
            diagnostics.extend(errors);
            for statement in file.body.statements {
                match statement {
                    Statement::Block(block) => {
                        let node = identify(source, block, table, stability, diagnostics);
                        nodes.extend(node);
                    }
                    Statement::Attribute(attribute) => diagnostics.push(Diagnostic::error(
                        source,
                        attribute.name.span,
                        format!("attribute {} must be inside a block", attribute.name.text),
                    )),
                }
            }
        }
        refuse_duplicates(&mut nodes, diagnostics);
        resolve_references(&mut nodes, library, diagnostics);
        Self {
            nodes: in_dependency_order(nodes, diagnostics),
        }
    }
}

/// Finds the kind of a block and checks its label.
fn identify(
    source: &SourceFile,
    block: Block,
    table: &'static [Definition],
    stability: Stability,
    diagnostics: &mut Diagnostics,
) -> Option<PlannedNode> {
    let name = block.name.dotted();
    let mut refuse = |message: String, note: Option<String>| {
        let diagnostic = Diagnostic::error(source, block.header(), message);
        diagnostics.push(note.into_iter().fold(diagnostic, Diagnostic::with_note));
        None
    };
    let Some(definition) = table.iter().find(|definition| definition.name == name) else {
        let note = did_you_mean(&name, table.iter().map(|definition| definition.name));
        return refuse(
            format!("cannot find the definition of component name {name:?}"),
            note,
        );
    };
    if definition.stability < stability {
        let (is, allowed) = (definition.stability.as_str(), stability.as_str());
        let message = format!(
            "component {name:?} is at stability level {is:?}, which is below the minimum allowed \
             stability level {allowed:?}"
        );
        return refuse(
            message,
            Some(format!("use --stability.level={is} to enable it")),
        );
    }
    let id = match (&block.label, definition.label) {
        (Some(label), Label::Required) => format!("{name}.{}", label.text),
        (None, Label::None) => name,
        (None, Label::Required) => {
            return refuse(format!("component {name:?} must have a label"), None);
        }
        (Some(_), Label::None) => {
            return refuse(format!("block {name:?} does not take a label"), None);
        }
    };
    let (block, source) = (Arc::new(block), source.clone());
    Some(PlannedNode {
        id: id.into(),
        definition,
        source,
        block,
        references: Vec::new(),
    })
}

fn refuse_duplicates(nodes: &mut Vec<PlannedNode>, diagnostics: &mut Diagnostics) {
    let mut seen = HashMap::new();
    nodes.retain(|node| {
        let here = node.source.position(node.block.span.start);
        match seen.insert(
            node.id.clone(),
            format!("{}:{}", node.source.name(), here.line),
        ) {
            None => true,
            Some(first) => {
                let message = format!("block {} already declared at {first}", node.id);
                diagnostics.push(Diagnostic::error(
                    &node.source,
                    node.block.header(),
                    message,
                ));
                false
            }
        }
    });
}

/// Finds the node behind each dotted name: the first prefix that is a node.
fn resolve_references(nodes: &mut [PlannedNode], library: &Library, diagnostics: &mut Diagnostics) {
    let ids: HashMap<Arc<str>, ()> = nodes.iter().map(|node| (node.id.clone(), ())).collect();
    for node in nodes {
        for reference in syntax::references(&node.block.body) {
            let mut prefix = String::new();
            let found = reference.parts.iter().find_map(|part| {
                if !prefix.is_empty() {
                    prefix.push('.');
                }
                prefix.push_str(&part.text);
                ids.get_key_value(prefix.as_str())
                    .map(|(id, ())| id.clone())
            });
            match found {
                Some(id) if node.references.contains(&id) => {}
                Some(id) => node.references.push(id),
                None if library.get(&reference.parts[0].text).is_some() => {}
                None => {
                    let message = format!("component {prefix:?} does not exist or is out of scope");
                    let note = did_you_mean(&prefix, ids.keys().map(|id| &**id));
                    let diagnostic = Diagnostic::error(&node.source, reference.span, message);
                    diagnostics.push(note.into_iter().fold(diagnostic, Diagnostic::with_note));
                }
            }
        }
    }
}

/// Sorts the nodes so that each stands behind what it refers to; names every cycle once.
fn in_dependency_order(nodes: Vec<PlannedNode>, diagnostics: &mut Diagnostics) -> Vec<PlannedNode> {
    let index: HashMap<Arc<str>, usize> = nodes
        .iter()
        .enumerate()
        .map(|(at, node)| (node.id.clone(), at))
        .collect();
    let targets: Vec<Vec<usize>> = nodes
        .iter()
        .map(|node| {
            node.references
                .iter()
                .filter_map(|id| index.get(id).copied())
                .collect()
        })
        .collect();
    let mut search = Search::new(&targets);
    for start in 0..nodes.len() {
        search.visit(start);
    }
    for cycle in &search.cycles {
        let names: Vec<&str> = cycle.iter().map(|at| &*nodes[*at].id).collect();
        let first = &nodes[cycle[0]];
        let message = match names.as_slice() {
            [only] => format!("cannot reference self: {only}"),
            several => format!("cycle: {}, {}", several.join(", "), several[0]),
        };
        diagnostics.push(Diagnostic::error(
            &first.source,
            first.block.header(),
            message,
        ));
    }
    let mut slots: Vec<Option<PlannedNode>> = nodes.into_iter().map(Some).collect();
    search
        .order
        .into_iter()
        .filter_map(|at| slots[at].take())
        .collect()
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    Open,
    Done,
}

/// A depth-first search without recursion: a configuration may be deeper than the stack.
struct Search<'a> {
    targets: &'a [Vec<usize>],
    state: Vec<State>,
    order: Vec<usize>,
    cycles: Vec<Vec<usize>>,
}

impl<'a> Search<'a> {
    fn new(targets: &'a [Vec<usize>]) -> Self {
        let state = vec![State::New; targets.len()];
        Self {
            targets,
            state,
            order: Vec::new(),
            cycles: Vec::new(),
        }
    }

    fn visit(&mut self, start: usize) {
        if self.state[start] != State::New {
            return;
        }
        let mut path = vec![(start, 0)];
        self.state[start] = State::Open;
        while let Some((at, next)) = path.last_mut() {
            let Some(&target) = self.targets[*at].get(*next) else {
                self.state[*at] = State::Done;
                self.order.push(*at);
                path.pop();
                continue;
            };
            *next += 1;
            match self.state[target] {
                State::Done => {}
                State::New => {
                    self.state[target] = State::Open;
                    path.push((target, 0));
                }
                State::Open => {
                    let from = path
                        .iter()
                        .position(|(node, _)| *node == target)
                        .unwrap_or(0);
                    self.cycles
                        .push(path[from..].iter().map(|(node, _)| *node).collect());
                }
            }
        }
    }
}
