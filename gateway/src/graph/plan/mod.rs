//! From the blocks of a space to nodes: what each block is, what it refers to, and in which order
//! to evaluate.
//!
//! Planning is pure and finds everything that can be said without evaluating: unknown components,
//! wrong labels, duplicates, references that lead nowhere, cycles.

mod identify;
mod order;
mod resolve;

use std::{collections::HashMap, sync::Arc};

use syntax::{Diagnostic, Diagnostics, Object, SourceFile, ast::Block, stdlib::Library};

pub(super) use identify::undefined;
pub(super) use resolve::split_template;

use super::{
    Definition, Stability, Vocabulary,
    module::{Catalogue, Given, Located, Names, Space, join},
};

/// What is the same for all configurations of a process.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) vocabulary: Vocabulary,
    pub(super) stability: Stability,
    pub(super) library: Library,
}

/// A space that is sound as far as can be seen without evaluating it.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// The nodes, each behind all that it refers to.
    pub(super) nodes: Vec<PlannedNode>,
    /// The custom components that can be used in it.
    pub(super) catalogue: Catalogue<'a>,
    /// What its expressions can name.
    pub(super) names: Names,
}

/// A block and its place.
#[derive(Clone, Debug)]
pub(super) struct PlannedNode {
    pub(super) id: Arc<str>,
    pub(super) kind: Kind,
    pub(super) source: SourceFile,
    pub(super) block: Arc<Block>,
    /// What its expressions can name besides nodes.
    pub(super) variables: Object,
    /// The nodes that its expressions name.
    pub(super) references: Vec<Reference>,
    /// Whether metrics of its own are shown.
    pub(super) measured: bool,
}

/// A node as an expression names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) name: Arc<str>,
    pub(super) id: Arc<str>,
}

/// What a block is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// A component or a configuration block: something of the table that runs.
    Component(&'static Definition),
    /// The same for what brings a module.
    Import(&'static Definition),
    /// An argument of a custom component, and what it is given.
    Argument(Option<Arc<Given>>),
    /// An export of a custom component.
    Export,
    /// The definition of a custom component.
    Declare,
    /// A custom component; its value is made of these exports.
    Instance(Vec<Arc<str>>),
    /// A template for each element of a list.
    Foreach,
    /// Reported; there only to be known by its name.
    Unusable,
}

impl PlannedNode {
    /// Ids of the nodes whose values it is made of.
    pub(super) fn needs(&self) -> impl Iterator<Item = &Arc<str>> {
        let (references, exports): (&[Reference], &[Arc<str>]) = match &self.kind {
            Kind::Instance(exports) => (&[], exports),
            Kind::Argument(Some(given)) => (&given.references, &[]),
            _ => (&self.references, &[]),
        };
        references
            .iter()
            .map(|reference| &reference.id)
            .chain(exports)
    }

    /// The name of its block.
    pub(super) fn name(&self) -> String {
        self.block.name.dotted()
    }

    /// The label of its block, if it has one.
    pub(super) fn label(&self) -> &str {
        let label = self.block.label.as_ref();
        label.map_or("", |label| &label.text)
    }

    /// An error about the block as a whole.
    pub(super) fn error(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(&self.source, self.block.header(), message)
    }
}

impl<'a> Plan<'a> {
    /// Reads the blocks of a space.
    pub(super) fn new(
        space: &Space<'a>,
        blocks: &[Located],
        rules: &Rules,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let (declares, catalogue) = identify::catalogue(space, blocks, rules, diagnostics);
        let mut nodes = Vec::with_capacity(blocks.len());
        for (at, declares) in blocks.iter().zip(declares) {
            let kind = match declares {
                true => Ok(Kind::Declare),
                false => identify::kind(space, &catalogue, at, rules),
            };
            let kind = kind.unwrap_or_else(|refusal| {
                diagnostics.push(refusal);
                Kind::Unusable
            });
            nodes.push(PlannedNode {
                id: join(&space.id, &at.block.id()),
                kind,
                source: at.source.clone(),
                block: at.block.clone(),
                variables: space.variables.clone(),
                references: Vec::new(),
                measured: space.measured,
            });
        }
        refuse_duplicates(&mut nodes, diagnostics);
        let names = resolve::names(space, &nodes);
        let needs = resolve::references(&mut nodes, &names, &rules.library, diagnostics);
        let nodes = in_dependency_order(nodes, &needs, diagnostics);
        Self {
            nodes,
            catalogue,
            names,
        }
    }
}

fn refuse_duplicates(nodes: &mut Vec<PlannedNode>, diagnostics: &mut Diagnostics) {
    let mut seen = HashMap::new();
    nodes.retain(|node| {
        let here = node.source.position(node.block.span.start);
        let here = format!("{}:{}", node.source.name(), here.line);
        match seen.insert(node.id.clone(), here) {
            None => true,
            Some(first) => {
                let id = node.block.id();
                diagnostics.push(node.error(format!("block {id} already declared at {first}")));
                false
            }
        }
    });
}

/// Sorts the nodes so that each stands behind what it needs; names every cycle once.
fn in_dependency_order(
    nodes: Vec<PlannedNode>,
    needs: &[Vec<usize>],
    diagnostics: &mut Diagnostics,
) -> Vec<PlannedNode> {
    let found = order::Order::of(needs);
    for cycle in &found.cycles {
        let names: Vec<String> = cycle.iter().map(|at| nodes[*at].block.id()).collect();
        let message = match names.as_slice() {
            [only] => format!("cannot reference self: {only}"),
            several => format!("cycle: {}, {}", several.join(", "), several[0]),
        };
        diagnostics.push(nodes[cycle[0]].error(message));
    }
    let mut slots: Vec<Option<PlannedNode>> = nodes.into_iter().map(Some).collect();
    found
        .order
        .into_iter()
        .filter_map(|at| slots[at].take())
        .collect()
}
