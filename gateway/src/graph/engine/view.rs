//! The graph as the API shows it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::Engine;
use crate::graph::{
    Health,
    definition::Label,
    module::{local, parent},
    node::Node,
    plan::Kind,
};

/// What a node is to those who look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// A component of the table.
    Component,
    /// A custom component, or a `foreach`.
    Custom,
    /// A configuration block, such as `logging`.
    Block,
    /// An import of a module.
    Import,
}

/// A node as the API shows it. Arguments and exports are no nodes of their own here.
#[derive(Clone, Debug)]
pub struct NodeView {
    /// `otelcol.exporter.otlp.default`; inside a custom component with its id before it:
    /// `module.label/otelcol.exporter.otlp.default`.
    pub id: Arc<str>,
    /// What it is.
    pub kind: NodeKind,
    /// `otelcol.exporter.otlp`
    pub name: String,
    /// `default`; empty for configuration blocks.
    pub label: String,
    /// Names of the components beside it that it refers to.
    pub references_to: Vec<String>,
    /// Names of the components beside it that refer to it.
    pub referenced_by: Vec<String>,
    /// Ids of the modules that are inside of it.
    pub modules: Vec<Arc<str>>,
    /// How it is.
    pub health: Health,
}

impl NodeView {
    /// Its name among the components beside it.
    pub fn local_id(&self) -> &str {
        local(&self.id)
    }

    /// The id of the module that it is in; empty outside of modules.
    pub fn module_id(&self) -> &str {
        parent(&self.id)
    }
}

impl Engine {
    /// All components, those in modules too, in the order of their ids.
    pub async fn view(&self) -> Vec<NodeView> {
        let state = self.state.lock().await;
        let shown = state.nodes.values().filter_map(|node| {
            let kind = kind(node)?;
            Some((node, kind))
        });
        let shown: Vec<(&Node, NodeKind)> = shown.collect();
        let ids: BTreeSet<&str> = shown.iter().map(|(node, _)| &*node.planned.id).collect();
        let mut users: HashMap<&str, Vec<String>> = HashMap::new();
        let beside =
            |node: &Node, id: &str| parent(id) == parent(&node.planned.id) && ids.contains(id);
        for (node, _) in &shown {
            for reference in &node.planned.references {
                if beside(node, &reference.id) {
                    let user = local(&node.planned.id).to_owned();
                    users.entry(&reference.id).or_default().push(user);
                }
            }
        }
        let spaces: BTreeSet<&str> = ids.iter().map(|id| parent(id)).collect();
        let view = |(node, kind): &(&Node, NodeKind)| NodeView {
            id: node.planned.id.clone(),
            kind: *kind,
            name: node.planned.name(),
            label: node.planned.label().to_owned(),
            references_to: node
                .planned
                .references
                .iter()
                .filter(|reference| beside(node, &reference.id))
                .map(|reference| local(&reference.id).to_owned())
                .collect(),
            referenced_by: users.remove(&*node.planned.id).unwrap_or_default(),
            modules: modules(node, &spaces),
            health: node.health.get(),
        };
        let mut views: Vec<NodeView> = shown.iter().map(view).collect();
        views.sort_by(|a, b| a.id.cmp(&b.id));
        views
    }
}

/// What a node is to who looks at it, if it is shown at all.
pub(super) fn kind(node: &Node) -> Option<NodeKind> {
    match &node.planned.kind {
        Kind::Component(definition) => Some(match definition.label {
            Label::Required => NodeKind::Component,
            Label::None => NodeKind::Block,
        }),
        Kind::Import(_) => Some(NodeKind::Import),
        Kind::Instance(_) | Kind::Foreach => Some(NodeKind::Custom),
        Kind::Argument(_) | Kind::Export | Kind::Declare | Kind::Unusable => None,
    }
}

/// The ids of the modules inside of a node: a custom component is one, and a `foreach` has one
/// for each item.
fn modules(node: &Node, spaces: &BTreeSet<&str>) -> Vec<Arc<str>> {
    let id = &node.planned.id;
    match node.planned.kind {
        Kind::Instance(_) => vec![id.clone()],
        Kind::Foreach => spaces
            .range::<&str, _>(&**id..)
            .take_while(|space| space.starts_with(&**id))
            .filter(|space| parent(space) == &**id)
            .map(|space| (*space).into())
            .collect(),
        _ => Vec::new(),
    }
}
