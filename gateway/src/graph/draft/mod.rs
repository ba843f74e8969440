//! A graph that is built beside the running one, or only checked.
//!
//! Spaces are gone through in dependency order; where a node is a custom component, the space
//! inside it is gone through before the next node. So the nodes come out in one list, each behind
//! all whose values it is made of, whatever space they are in.

mod argument;
mod component;
mod custom;
mod foreach;
mod import;

use std::{collections::HashMap, sync::Arc};

use syntax::{Diagnostics, SourceFile, Value};

pub(super) use custom::exports_of;
pub(super) use import::{FetchedById, Wanted};

use super::{
    engine::Nodes,
    export::Publisher,
    meters::Meters,
    module::{Catalogue, Located, Space, SpaceKind, blocks},
    node::Node,
    plan::{Kind, Plan, PlannedNode, Rules},
    scope::NodeScope,
};
use crate::{batch::MemoryBudget, services::Services, telemetry::Logs};

/// Nodes of a graph, arguments and exports included. Custom components that use others several
/// times each grow without bound; a hundred thousand targets are another program's work.
const NODES_MAX: usize = 1 << 16;

/// Custom components inside of each other. Nobody follows more than a few.
const DEPTH_MAX: usize = 32;

/// The variable that says where the files of a module are.
const MODULE_PATH: &str = "module_path";

/// A graph in the making.
pub(super) struct Draft<'a> {
    rules: &'a Rules,
    live: Option<Live<'a>>,
    /// Where components are built, if the graph is only checked.
    bench: Option<Bench>,
    pub(super) diagnostics: Diagnostics,
    /// What each node offers, by its id. What could not be made is unknown, and no second error
    /// about it is made.
    exports: HashMap<Arc<str>, Value>,
    pub(super) prepared: Vec<Prepared>,
    /// What was built when something had still to be fetched.
    pub(super) ready: Ready,
    /// What has to be fetched before there can be a graph.
    pub(super) wanted: Vec<Wanted>,
    /// Files of modules.
    files: usize,
    /// The modules, if the graph is only checked.
    modules: Vec<(Arc<str>, Arc<Catalogue<'static>>)>,
    /// Whether there are more nodes than there may be, which is said once.
    full: bool,
}

/// What a graph is built for, if it is not only checked.
#[derive(Clone, Copy)]
pub(super) struct Live<'a> {
    pub(super) running: &'a Nodes,
    pub(super) services: &'a Services,
    pub(super) publisher: &'a Publisher,
    pub(super) meters: &'a Meters,
    pub(super) fetched: &'a FetchedById,
    /// The node whose new content is to be taken up.
    pub(super) waiting: Option<&'a Arc<str>>,
}

/// What components are given that are built and never run.
struct Bench {
    services: Services,
    publisher: Publisher,
}

impl Bench {
    fn new() -> Self {
        // Nothing is reserved of the budget, and nothing is logged, by what does not run.
        let services = Services::new(MemoryBudget::new(0), Logs::unstarted());
        let (publisher, _) = Publisher::new(Arc::default());
        Self {
            services,
            publisher,
        }
    }
}

/// New nodes by their ids.
pub(super) type Ready = HashMap<Arc<str>, Box<Node>>;

/// A node of the graph that is about to run.
pub(super) enum Prepared {
    /// Not touched, but its block may have moved in the file; and an import may have new content.
    Kept(PlannedNode, Option<Value>),
    /// New, or with new arguments.
    New(Box<Node>),
    /// A value and nothing that runs.
    Value(PlannedNode, Value),
}

impl Prepared {
    /// The node, if it is new.
    pub(super) fn into_new(self) -> Option<Box<Node>> {
        match self {
            Self::New(node) => Some(node),
            Self::Kept(..) | Self::Value(..) => None,
        }
    }
}

impl<'a> Draft<'a> {
    pub(super) fn new(rules: &'a Rules, live: Option<Live<'a>>) -> Self {
        Self {
            rules,
            bench: live.is_none().then(Bench::new),
            live,
            diagnostics: Diagnostics::default(),
            exports: HashMap::new(),
            prepared: Vec::new(),
            ready: Ready::new(),
            wanted: Vec::new(),
            files: 0,
            modules: Vec::new(),
            full: false,
        }
    }

    /// Goes through a configuration. Files are named by their paths.
    pub(super) fn root(&mut self, prefix: &str, files: &[SourceFile]) {
        let mut located = Vec::new();
        for source in files {
            let (file, errors) = syntax::parse(source);
            self.diagnostics.extend(errors);
            located.extend(blocks(source, file.body, &mut self.diagnostics));
        }
        let folder = files.first().map_or(".", |file| folder_of(file.name()));
        let variables = [(MODULE_PATH.to_owned(), Value::from(folder))];
        let space = Space {
            id: prefix.into(),
            kind: match prefix {
                "" => SpaceKind::Root,
                _ => SpaceKind::Isolated,
            },
            variables: variables.into_iter().collect(),
            outer: None,
            catalogue: None,
            given: None,
            values: None,
            measured: true,
            depth: 0,
            imports: 0,
        };
        self.space(&space, &located);
        self.check_modules();
    }

    /// Goes through a space and all that is in it; gives the custom components that it has.
    fn space<'s>(&mut self, space: &Space<'s>, blocks: &[Located]) -> Catalogue<'s> {
        let Plan {
            nodes,
            mut catalogue,
            names,
        } = Plan::new(space, blocks, self.rules, &mut self.diagnostics);
        for node in nodes {
            if self.is_full(&node) {
                return catalogue;
            }
            if self.live.is_none() && !matches!(node.kind, Kind::Declare | Kind::Unusable) {
                node.warn(&mut self.diagnostics);
            }
            let _evaluation = self.live.map(|live| live.meters.evaluate(&node.id));
            match node.kind {
                Kind::Component(definition) => self.component(node, definition),
                Kind::Argument(_) => self.argument(node, space),
                Kind::Export => self.export(node),
                Kind::Instance(_) => self.instance(node, space, &catalogue),
                Kind::Foreach => self.foreach(node, space, &catalogue, &names),
                Kind::Import(definition) => self.import(node, definition, space, &mut catalogue),
                Kind::Declare | Kind::Unusable => {}
            }
        }
        // What a module declares may be used by who imports it.
        if self.live.is_none() && !matches!(space.kind, SpaceKind::Imported { .. }) {
            self.check_unused(&space.id, &catalogue, space.depth);
        }
        catalogue
    }

    /// What the expressions of a node can see.
    fn scope(&self, node: &PlannedNode) -> NodeScope {
        let value = |id: &Arc<str>| self.exports.get(id).cloned().unwrap_or(Value::Unknown);
        let seen = node.references.iter();
        let seen = seen.map(|reference| (reference.name.clone(), value(&reference.id)));
        NodeScope::new(&node.variables, seen)
    }

    /// Adds a node that is a value.
    fn offer(&mut self, node: PlannedNode, value: Value) {
        self.exports.insert(node.id.clone(), value.clone());
        self.prepared.push(Prepared::Value(node, value));
    }

    fn is_full(&mut self, node: &PlannedNode) -> bool {
        if !self.full && self.prepared.len() >= NODES_MAX {
            self.full = true;
            self.diagnostics.push(node.error(format!(
                "the configuration has more than {NODES_MAX} components, arguments and exports"
            )));
        }
        self.full
    }
}

/// The folder of a file by its path, as Go's `filepath.Dir` has it.
fn folder_of(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) => "/",
        Some((folder, _)) => folder,
        None => ".",
    }
}
