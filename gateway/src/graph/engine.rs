//! Loads configurations, keeps the graph running, and carries changed exports to those who use them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use indexmap::IndexMap;
use syntax::{
    Diagnostics, SourceFile, Value,
    stdlib::{Library, System},
};
use tokio::sync::{Mutex, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Definition, Health, HealthReport, Plan, Port, Stability,
    export::{Published, Publisher},
    meters::Meters,
    node::{Node, Place},
    plan::PlannedNode,
    scope::ExportScope,
    supervise::Start,
};
use crate::services::Services;

/// How long a load waits to see whether what it started runs. A listener is open or refused well
/// within that.
const SETTLE_MAX: Duration = Duration::from_secs(5);

/// How long a component may take to let go of what it holds, unless said otherwise: as Alloy allows.
const STOP_DEADLINE: Duration = Duration::from_secs(600);

/// The component graph of the process.
#[derive(Debug)]
pub struct Engine {
    table: &'static [Definition],
    stability: Stability,
    services: Services,
    library: Library,
    nodes: Mutex<Nodes>,
    /// Components that a reload has taken out, while they stop.
    leaving: TaskTracker,
    stop_deadline: Duration,
    meters: Meters,
    publisher: Publisher,
    published: Mutex<mpsc::UnboundedReceiver<Published>>,
}

/// In dependency order: each behind all that it refers to.
type Nodes = IndexMap<Arc<str>, Node>;

/// What a load changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Components that were not there before.
    pub started: Vec<Arc<str>>,
    /// Components whose arguments changed.
    pub replaced: Vec<Arc<str>>,
    /// Components that are gone.
    pub stopped: Vec<Arc<str>>,
    /// How many were not touched.
    pub kept: usize,
}

/// A component as the API shows it.
#[derive(Clone, Debug)]
pub struct NodeView {
    /// `otelcol.exporter.otlp.default`
    pub id: Arc<str>,
    /// `otelcol.exporter.otlp`
    pub name: &'static str,
    /// `default`; empty for configuration blocks.
    pub label: String,
    /// Ids of the components that it refers to.
    pub references_to: Vec<Arc<str>>,
    /// Ids of the components that refer to it.
    pub referenced_by: Vec<Arc<str>>,
    /// How it is.
    pub health: Health,
}

impl Engine {
    /// An engine that runs nothing yet.
    pub fn new(table: &'static [Definition], stability: Stability, services: Services) -> Self {
        let (publisher, published) = Publisher::new();
        let (nodes, published) = (Mutex::default(), Mutex::new(published));
        let library = standard_library();
        let meters = Meters::new(services.metrics(), publisher.waiting().clone());
        Self {
            table,
            stability,
            services,
            library,
            nodes,
            leaving: TaskTracker::new(),
            stop_deadline: STOP_DEADLINE,
            meters,
            publisher,
            published,
        }
    }

    /// Components have this long to stop before they are abandoned.
    pub fn stopping_within(mut self, deadline: Duration) -> Self {
        self.stop_deadline = deadline;
        self
    }

    /// Finds what is wrong with a configuration without making anything of it.
    ///
    /// What components export is not known then, so expressions that use it are checked as far as
    /// is possible without a value.
    pub fn check(
        table: &'static [Definition],
        stability: Stability,
        library: &Library,
        files: &[SourceFile],
    ) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        let plan = Plan::new(files, table, stability, library, &mut diagnostics);
        let kinds: HashMap<_, _> = plan
            .nodes
            .iter()
            .map(|node| (node.id.clone(), node.definition))
            .collect();
        for node in &plan.nodes {
            let unknown = |id: &Arc<str>| (id.clone(), kinds[id].unknown_exports());
            let scope = ExportScope::new(node.references.iter().map(unknown));
            node.evaluate(&scope, library, &mut diagnostics);
        }
        diagnostics
    }

    /// Runs this configuration in place of the present one. Components whose arguments are the
    /// same are not touched.
    ///
    /// # Errors
    /// All that is wrong with it; nothing has changed then.
    pub async fn load(&self, files: &[SourceFile]) -> Result<Reloaded, Diagnostics> {
        let _evaluating = self.meters.evaluating();
        let mut diagnostics = Diagnostics::default();
        let plan = Plan::new(
            files,
            self.table,
            self.stability,
            &self.library,
            &mut diagnostics,
        );
        let mut nodes = self.nodes.lock().await;
        // The graph is built even if the plan has errors, so that all of them are found at once.
        let prepared = self.prepare(plan, &nodes, &mut diagnostics);
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        Ok(self.swap(&mut nodes, prepared))
    }

    /// Builds the new graph beside the running one.
    fn prepare(&self, plan: Plan, running: &Nodes, diagnostics: &mut Diagnostics) -> Vec<Prepared> {
        let mut exports: HashMap<Arc<str>, Value> = HashMap::new();
        let mut prepared = Vec::with_capacity(plan.nodes.len());
        for planned in plan.nodes {
            let id = planned.id.clone();
            let _evaluation = self.meters.evaluate(&id);
            let seen = planned.references.iter();
            // What could not be built is unknown, and no second error about it is made.
            let value = |id: &Arc<str>| exports.get(id).cloned().unwrap_or(Value::Unknown);
            let scope = ExportScope::new(seen.map(|id| (id.clone(), value(id))));
            let arguments = planned.evaluate(&scope, &self.library, diagnostics);
            let Some(arguments) = arguments else { continue };
            let present = running.get(&id).filter(|node| {
                std::ptr::eq(node.planned.definition, planned.definition)
                    && node.arguments.equals(&*arguments)
            });
            if let Some(present) = present {
                exports.insert(id, present.exports.clone());
                prepared.push(Prepared::Kept(planned));
                continue;
            }
            let place = running.get(&id).map(Place::of);
            let place = place.unwrap_or_else(|| Place::new(&id, &self.services));
            let site = place.site(&id, &self.services, &self.publisher);
            let number = site.publisher.instance();
            match planned.build(&*arguments, site) {
                Ok(instance) => {
                    exports.insert(id, instance.exports());
                    let (port, health) = (place.port, place.health);
                    let exports = instance.exports();
                    let (planned, task) = (planned, None);
                    let node = Node {
                        planned,
                        arguments,
                        instance,
                        number,
                        exports,
                        port,
                        health,
                        task,
                    };
                    prepared.push(Prepared::New(node));
                }
                Err(diagnostic) => diagnostics.push(diagnostic),
            }
        }
        prepared
    }

    /// Puts the new graph in the place of the old one. Cannot fail.
    fn swap(&self, running: &mut Nodes, prepared: Vec<Prepared>) -> Reloaded {
        let mut old = std::mem::take(running);
        let mut reloaded = Reloaded::default();
        for prepared in prepared {
            match prepared {
                Prepared::Kept(planned) => {
                    let id = planned.id.clone();
                    if let Some(mut node) = old.swap_remove(&id) {
                        node.planned = planned;
                        reloaded.kept += 1;
                        running.insert(id, node);
                    }
                }
                Prepared::New(mut node) => {
                    let id = node.planned.id.clone();
                    let predecessor = old.swap_remove(&id);
                    let list = if predecessor.is_some() {
                        &mut reloaded.replaced
                    } else {
                        &mut reloaded.started
                    };
                    list.push(id.clone());
                    let predecessor = predecessor.and_then(|node| node.task);
                    node.start(predecessor, self.stop_deadline);
                    running.insert(id, node);
                }
            }
        }
        for (id, node) in old {
            reloaded.stopped.push(id);
            self.leaving.spawn(node.stop(self.stop_deadline));
        }
        self.meters.running(healths(running));
        reloaded
    }

    /// Carries changed exports to the components that use them, for as long as the engine lives.
    pub async fn follow(&self) {
        let mut published = self.published.lock().await;
        while let Some(Published {
            id,
            instance,
            exports,
            at,
        }) = published.recv().await
        {
            let mut nodes = self.nodes.lock().await;
            self.meters.waited(at);
            if let Some(node) = nodes.get_mut(&id)
                && node.number == instance
                && node.exports != exports
            {
                node.exports = exports;
                self.reevaluate(&mut nodes, &id);
            }
        }
    }

    /// Evaluates all that depends on a component again, in dependency order.
    fn reevaluate(&self, nodes: &mut Nodes, changed: &Arc<str>) {
        let _evaluating = self.meters.evaluating();
        let mut dirty = vec![changed.clone()];
        for at in 0..nodes.len() {
            let node = &nodes[at];
            if !node.planned.references.iter().any(|id| dirty.contains(id)) {
                continue;
            }
            match self.rebuild(nodes, at) {
                Ok(true) => dirty.push(nodes[at].planned.id.clone()),
                Ok(false) => {}
                Err(reason) => {
                    let node = &nodes[at];
                    tracing::error!(component = %node.planned.id, "failed to evaluate: {reason}");
                    node.health.evaluated(Health::unhealthy(reason));
                }
            }
        }
    }

    /// Evaluates one node again; true if its exports have changed.
    fn rebuild(&self, nodes: &mut Nodes, at: usize) -> Result<bool, String> {
        let node = &nodes[at];
        let _evaluation = self.meters.evaluate(&node.planned.id);
        let seen = node.planned.references.iter();
        let scope = ExportScope::new(
            seen.filter_map(|id| nodes.get(id).map(|node| (id.clone(), node.exports.clone()))),
        );
        let mut diagnostics = Diagnostics::default();
        let arguments = node
            .planned
            .evaluate(&scope, &self.library, &mut diagnostics);
        let Some(arguments) = arguments.filter(|_| !diagnostics.has_errors()) else {
            return Err(diagnostics.render());
        };
        if node.arguments.equals(&*arguments) {
            node.health
                .evaluated(Health::healthy("component evaluated"));
            return Ok(false);
        }
        let site = Place::of(node).site(&node.planned.id, &self.services, &self.publisher);
        let number = site.publisher.instance();
        let instance = node
            .planned
            .build(&*arguments, site)
            .map_err(|diagnostic| diagnostic.message)?;
        let node = &mut nodes[at];
        let exports = instance.exports();
        let changed = node.exports != exports;
        (node.arguments, node.exports) = (arguments, exports);
        (node.instance, node.number) = (instance, number);
        let predecessor = node.task.take();
        node.start(predecessor, self.stop_deadline);
        tracing::info!(component = %node.planned.id, "component updated: what it refers to changed");
        Ok(changed)
    }

    /// Waits until each component has started or failed to, for a while at most: one that waits
    /// for its predecessor may take longer, and its predecessor's listener is open until then.
    pub async fn settle(&self) {
        let watches: Vec<_> = {
            let nodes = self.nodes.lock().await;
            nodes.values().filter_map(Node::start_watch).collect()
        };
        let settled = watches.into_iter().map(|mut start| async move {
            // An error means that the component is gone.
            let _ = start.wait_for(|start| *start != Start::Pending).await;
        });
        let _ = tokio::time::timeout(SETTLE_MAX, futures::future::join_all(settled)).await;
    }

    /// Components that could not start, each with the reason; they go on trying.
    pub async fn not_started(&self) -> Vec<String> {
        let nodes = self.nodes.lock().await;
        let failed = |node: &Node| match &*node.start_watch()?.borrow() {
            Start::Failed(reason) => Some(format!("{}: {reason}", node.planned.id)),
            Start::Pending | Start::Done => None,
        };
        nodes.values().filter_map(failed).collect()
    }

    /// Stops everything, sources first, so that what they hold can still flow off: a component
    /// stops when all that refer to it have stopped, and those that do not need each other stop at
    /// the same time. Components that a reload has taken out are waited for, too.
    pub async fn stop(&self) {
        let nodes = std::mem::take(&mut *self.nodes.lock().await);
        self.meters.running(Vec::new());
        let token = |id: &Arc<str>| (id.clone(), CancellationToken::new());
        let stopped: HashMap<_, _> = nodes.keys().map(token).collect();
        let users = |id: &Arc<str>| -> Vec<CancellationToken> {
            let users = nodes.values().map(|node| &node.planned);
            users
                .filter(|user| user.references.contains(id))
                .map(|user| stopped[&user.id].clone())
                .collect()
        };
        let users: Vec<_> = nodes.keys().map(users).collect();
        let stops = nodes.into_iter().zip(users).map(|((id, node), users)| {
            let stopped = stopped[&id].clone();
            async move {
                for user in users {
                    user.cancelled().await;
                }
                node.stop(self.stop_deadline).await;
                stopped.cancel();
            }
        });
        futures::future::join_all(stops).await;
        self.leaving.close();
        self.leaving.wait().await;
    }

    /// The way into a component, if it is there.
    pub async fn port(&self, id: &str) -> Option<Arc<Port>> {
        self.nodes
            .lock()
            .await
            .get(id)
            .map(|node| node.port.clone())
    }

    /// All components, in the order of their names.
    pub async fn view(&self) -> Vec<NodeView> {
        let nodes = self.nodes.lock().await;
        let refers = |node: &Node, id: &Arc<str>| node.planned.references.contains(id);
        let view = |node: &Node| NodeView {
            id: node.planned.id.clone(),
            name: node.planned.definition.name,
            label: node
                .planned
                .block
                .label
                .as_ref()
                .map(|label| label.text.clone())
                .unwrap_or_default(),
            references_to: node.planned.references.clone(),
            referenced_by: nodes
                .values()
                .filter(|other| refers(other, &node.planned.id))
                .map(|other| other.planned.id.clone())
                .collect(),
            health: node.health.get(),
        };
        let mut views: Vec<_> = nodes.values().map(view).collect();
        views.sort_by(|a, b| a.id.cmp(&b.id));
        views
    }
}

/// How the components are; configuration blocks are none.
fn healths(nodes: &Nodes) -> Vec<HealthReport> {
    let components = nodes
        .values()
        .filter(|node| node.planned.block.label.is_some());
    components.map(|node| node.health.clone()).collect()
}

/// What every expression can use on this machine.
pub fn standard_library() -> Library {
    Library::new(Arc::new(System), env!("CARGO_PKG_VERSION"))
}

/// A node of the graph that is about to run.
enum Prepared {
    /// Not touched, but its block may have moved in the file.
    Kept(PlannedNode),
    /// New, or with new arguments.
    New(Node),
}
