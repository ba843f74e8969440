//! What the expressions of a space's blocks refer to, and what its custom components need.

use std::{collections::HashMap, sync::Arc};

use syntax::{
    Diagnostic, Diagnostics,
    ast::{Block, Body},
    did_you_mean,
    stdlib::Library,
};

use super::{Kind, PlannedNode, Reference};
use crate::graph::module::{Names, Space, SpaceKind};

/// Blocks whose bodies have names of their own.
const SCOPED: &[&str] = &["declare", "foreach"];

/// The name of the block inside a `foreach` that is repeated.
const TEMPLATE: &str = "template";

/// What expressions in a space can name: its own nodes, and in a template those outside of it.
pub(super) fn names(space: &Space<'_>, nodes: &[PlannedNode]) -> Names {
    let mut names = match (space.kind, space.outer) {
        (SpaceKind::Template, Some(outer)) => outer.clone(),
        _ => Names::default(),
    };
    let nameable = |node: &&PlannedNode| {
        matches!(
            node.kind,
            Kind::Component(_) | Kind::Argument(_) | Kind::Instance(_) | Kind::Unusable
        )
    };
    for node in nodes.iter().filter(nameable) {
        names.insert(node.block.id().into(), node.id.clone());
    }
    names
}

/// Finds what each node refers to, and gives the places of the nodes of the space that it needs.
pub(super) fn references(
    nodes: &mut [PlannedNode],
    names: &Names,
    library: &Library,
    diagnostics: &mut Diagnostics,
) -> Vec<Vec<usize>> {
    let custom = Custom::of(nodes);
    let places: HashMap<Arc<str>, usize> = nodes
        .iter()
        .enumerate()
        .map(|(at, node)| (node.id.clone(), at))
        .collect();
    let mut needs = Vec::with_capacity(nodes.len());
    for node in nodes {
        let mut needed = Vec::new();
        match &node.kind {
            // It is planned where it is used; only cycles show here.
            Kind::Declare => custom.in_body(&node.block.body, &mut needed),
            // What it refers to can be missing all the same.
            Kind::Unusable if SCOPED.contains(&node.name().as_str()) => {}
            Kind::Unusable => drop(resolve(node, &node.block.body, names, library, diagnostics)),
            Kind::Foreach => {
                custom.in_body(&node.block.body, &mut needed);
                node.references = foreach(node, names, library, diagnostics);
            }
            Kind::Instance(_) => {
                needed.extend(custom.place(&node.block));
                node.references = resolve(node, &node.block.body, names, library, diagnostics);
            }
            _ => node.references = resolve(node, &node.block.body, names, library, diagnostics),
        }
        let referred = node.references.iter();
        needed.extend(referred.filter_map(|reference| places.get(&reference.id).copied()));
        needs.push(needed);
    }
    needs
}

/// Finds the node behind each dotted name: the shortest beginning that is a node. A name that leads
/// nowhere is reported, and kept as that of a node that is not there: so its value is unknown, and
/// evaluating it is no second error.
fn resolve(
    node: &PlannedNode,
    body: &Body,
    names: &Names,
    library: &Library,
    diagnostics: &mut Diagnostics,
) -> Vec<Reference> {
    let (mut found, lost) = find(node, body, names, library, diagnostics);
    found.extend(lost);
    found
}

/// The nodes behind the names in a body, and the names that lead nowhere.
fn find(
    node: &PlannedNode,
    body: &Body,
    names: &Names,
    library: &Library,
    diagnostics: &mut Diagnostics,
) -> (Vec<Reference>, Vec<Reference>) {
    let mut found: Vec<Reference> = Vec::new();
    let mut lost = Vec::new();
    for reference in syntax::references(body) {
        let mut prefix = String::new();
        let target = reference.parts.iter().find_map(|part| {
            if !prefix.is_empty() {
                prefix.push('.');
            }
            prefix.push_str(&part.text);
            names.get_key_value(prefix.as_str())
        });
        let first = &reference.parts[0].text;
        match target {
            Some((name, _)) if found.iter().any(|known| known.name == *name) => {}
            Some((name, id)) => found.push(Reference {
                name: name.clone(),
                id: id.clone(),
            }),
            None if node.variables.get(first).is_some() || library.get(first).is_some() => {}
            None => {
                let message = format!("component {prefix:?} does not exist or is out of scope");
                let note = did_you_mean(&prefix, names.keys().map(|name| &**name));
                let error = Diagnostic::error(&node.source, reference.span, message);
                diagnostics.push(note.into_iter().fold(error, Diagnostic::with_note));
                let name: Arc<str> = prefix.into();
                let id = name.clone();
                lost.push(Reference { name, id });
            }
        }
    }
    (found, lost)
}

/// What a `foreach` refers to: by its own attributes, and by what is in its template. The names
/// that only the template knows are looked for when it is planned.
fn foreach(
    node: &PlannedNode,
    names: &Names,
    library: &Library,
    diagnostics: &mut Diagnostics,
) -> Vec<Reference> {
    let (own, template) = split_template(&node.block);
    let mut found = resolve(node, &own, names, library, diagnostics);
    for body in template.iter().map(|block| &block.body) {
        let (inside, _) = find(node, body, names, library, &mut Diagnostics::default());
        for reference in inside {
            if !found.contains(&reference) {
                found.push(reference);
            }
        }
    }
    found
}

/// The attributes of a `foreach` and its templates, of which there should be one.
pub(in crate::graph) fn split_template(block: &Block) -> (Body, Vec<&Block>) {
    let templates = block.body.blocks();
    let templates = templates.filter(|block| block.name.dotted() == TEMPLATE);
    let mut own = block.body.clone();
    own.statements.retain(|statement| match statement {
        syntax::ast::Statement::Block(block) => block.name.dotted() != TEMPLATE,
        syntax::ast::Statement::Attribute(_) => true,
    });
    (own, templates.collect())
}

/// Where in a space its custom components and imports are.
struct Custom {
    declares: HashMap<String, usize>,
    imports: HashMap<String, usize>,
}

impl Custom {
    fn of(nodes: &[PlannedNode]) -> Self {
        let (mut declares, mut imports) = (HashMap::new(), HashMap::new());
        for (at, node) in nodes.iter().enumerate() {
            match node.kind {
                Kind::Declare => drop(declares.insert(node.label().to_owned(), at)),
                Kind::Import(_) => drop(imports.insert(node.label().to_owned(), at)),
                _ => {}
            }
        }
        Self { declares, imports }
    }

    /// The definition or the import that a block is of.
    fn place(&self, block: &Block) -> Option<usize> {
        let first = block.name.parts[0].text.as_str();
        let map = match block.name.parts.len() {
            1 => &self.declares,
            _ => &self.imports,
        };
        map.get(first).copied()
    }

    /// All that is used in the body of a definition or of a template, also inside of others there.
    fn in_body(&self, body: &Body, found: &mut Vec<usize>) {
        for block in body.blocks() {
            match block.name.dotted().as_str() {
                "declare" | "foreach" | TEMPLATE => self.in_body(&block.body, found),
                _ => found.extend(self.place(block)),
            }
        }
    }
}
