//! A space: blocks that stand beside each other and can name each other.
//!
//! The configuration is one, and so is the inside of each custom component, of each item of a
//! `foreach`, and each imported module. The ids of what stands in a space begin with the space's
//! own: `module.label/otelcol.exporter.otlp.default`.

use std::{collections::HashMap, sync::Arc};

use syntax::Object;

use super::{Catalogue, Given};

/// What expressions name, and the ids of the nodes that they mean.
pub(in crate::graph) type Names = HashMap<Arc<str>, Arc<str>>;

/// What a space is the inside of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::graph) enum SpaceKind {
    /// The configuration of the process.
    Root,
    /// A configuration beside it, with an id of its own before its components'.
    Isolated,
    /// A custom component.
    Custom,
    /// The template of a `foreach`.
    Template,
    /// An imported module; true if it came from a web server.
    Imported {
        /// Files of this machine have no business in what came from another.
        remote: bool,
    },
}

/// A space that is about to be filled.
pub(in crate::graph) struct Space<'a> {
    /// The id before those of its nodes; empty for the configuration itself.
    pub(in crate::graph) id: Arc<str>,
    pub(in crate::graph) kind: SpaceKind,
    /// What its expressions can name besides nodes.
    pub(in crate::graph) variables: Object,
    /// The nodes outside that its expressions can name: a template has some.
    pub(in crate::graph) outer: Option<&'a Names>,
    /// The custom components that it knows from outside.
    pub(in crate::graph) catalogue: Option<&'a Catalogue<'a>>,
    /// What its arguments are given, and where.
    pub(in crate::graph) given: Option<Arc<Given>>,
    /// What was given, evaluated. None if the space is only checked, with arguments of any value.
    pub(in crate::graph) values: Option<Object>,
    /// Whether its components' own metrics are shown.
    pub(in crate::graph) measured: bool,
    /// In how many spaces it is.
    pub(in crate::graph) depth: usize,
    /// In how many imported modules it is.
    pub(in crate::graph) imports: usize,
}

/// The id of a node by the id of its space and its name there.
pub(in crate::graph) fn join(space: &str, local: &str) -> Arc<str> {
    if space.is_empty() {
        local.into()
    } else {
        format!("{space}/{local}").into()
    }
}

/// The name of a node in its space. No name has a slash.
pub(in crate::graph) fn local(id: &str) -> &str {
    id.rsplit_once('/').map_or(id, |(_, local)| local)
}

/// The id of a node's space.
pub(in crate::graph) fn parent(id: &str) -> &str {
    id.rsplit_once('/').map_or("", |(space, _)| space)
}
