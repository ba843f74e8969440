//! Loads configurations and keeps the graph running.

mod change;
mod follow;
mod load;
mod view;

use std::{collections::HashMap, sync::Arc, time::Duration};

use indexmap::IndexMap;
use syntax::{
    Diagnostics, SourceFile,
    stdlib::{Elsewhere, Environment, Library, System},
};
use tokio::sync::{Mutex, Notify, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use load::Reloaded;
pub use view::{NodeKind, NodeView};

use super::{
    Port, Stability, Vocabulary,
    draft::Draft,
    export::{Published, Publisher},
    meters::Meters,
    node::Node,
    plan::Rules,
    supervise::Start,
};
use crate::services::Services;

/// How long a load waits to see whether what it started runs. A listener is open or refused well
/// within that.
const SETTLE_MAX: Duration = Duration::from_secs(5);

/// How long a component may take to let go of what it holds, unless said otherwise: as Alloy allows.
const STOP_DEADLINE: Duration = Duration::from_secs(600);

/// A component graph.
///
/// A process may have several, each with a configuration of its own: what happens to one does not
/// touch the others. All but the first have ids that begin with a word of theirs.
#[derive(Debug)]
pub struct Engine {
    rules: Rules,
    /// What stands before the ids of its nodes; empty for the first of the process.
    prefix: Arc<str>,
    services: Services,
    state: Mutex<State>,
    /// Held while the graph is changed, over the time in which the state can be looked at.
    changing: Mutex<()>,
    /// Told when something waits for a change of the graph that no load asked for.
    changed: Notify,
    /// Components that a reload has taken out, while they stop.
    leaving: TaskTracker,
    stop_deadline: Duration,
    meters: Meters,
    publisher: Publisher,
    published: Mutex<mpsc::UnboundedReceiver<Published>>,
}

/// What runs, and what it was made of.
#[derive(Debug, Default)]
struct State {
    files: Arc<[SourceFile]>,
    nodes: Nodes,
}

/// In dependency order: each behind all whose values it is made of.
pub(super) type Nodes = IndexMap<Arc<str>, Node>;

impl Engine {
    /// An engine that runs nothing yet.
    pub fn new(
        vocabulary: impl Into<Vocabulary>,
        stability: Stability,
        services: Services,
    ) -> Self {
        let rules = Rules {
            vocabulary: vocabulary.into(),
            stability,
            library: standard_library(),
        };
        let meters = Meters::new(services.metrics(), Arc::default());
        Self::of(rules, meters, services)
    }

    fn of(rules: Rules, meters: Meters, services: Services) -> Self {
        let (publisher, published) = Publisher::new(meters.waiting().clone());
        Self {
            rules,
            prefix: meters.graph().clone(),
            services,
            state: Mutex::default(),
            changing: Mutex::default(),
            changed: Notify::new(),
            leaving: TaskTracker::new(),
            stop_deadline: STOP_DEADLINE,
            meters,
            publisher,
            published: Mutex::new(published),
        }
    }

    /// Another engine for a configuration of its own, beside this one and with the same rules. The
    /// ids of its nodes begin with the prefix and a slash, so that its queues and metrics are told
    /// from others'. Configuration blocks, which are about the process, have no place in it.
    #[must_use]
    pub fn beside(&self, prefix: &str) -> Self {
        let (rules, services) = (self.rules.clone(), self.services.clone());
        let beside = Self::of(rules, self.meters.of(&prefix.into()), services);
        beside.stopping_within(self.stop_deadline)
    }

    /// Components have this long to stop before they are abandoned.
    #[must_use]
    pub fn stopping_within(mut self, deadline: Duration) -> Self {
        self.stop_deadline = deadline;
        self
    }

    /// Finds what is wrong with a configuration: everything is built, which has no effects, and
    /// dropped again.
    ///
    /// What depends on a file or, with the [`checking_library`], on a variable that this machine does
    /// not have is not built, so that a configuration can be checked where it does not run: then
    /// only the kind of what it exports is known.
    pub fn check(
        vocabulary: impl Into<Vocabulary>,
        stability: Stability,
        library: &Library,
        files: &[SourceFile],
    ) -> Diagnostics {
        let rules = Rules {
            vocabulary: vocabulary.into(),
            stability,
            library: library.clone(),
        };
        let mut draft = Draft::new(&rules, None);
        draft.root("", files);
        draft.diagnostics
    }

    /// Waits until each component has started or failed to, for a while at most: one that waits
    /// for its predecessor may take longer, and its predecessor's listener is open until then.
    pub async fn settle(&self) {
        let watches: Vec<_> = {
            let state = self.state.lock().await;
            state.nodes.values().filter_map(Node::start_watch).collect()
        };
        let settled = watches.into_iter().map(|mut start| async move {
            // An error means that the component is gone.
            let _ = start.wait_for(|start| *start != Start::Pending).await;
        });
        let _ = tokio::time::timeout(SETTLE_MAX, futures::future::join_all(settled)).await;
    }

    /// Components that could not start, each with the reason; they go on trying.
    pub async fn not_started(&self) -> Vec<String> {
        let state = self.state.lock().await;
        let failed = |node: &Node| match &*node.start_watch()?.borrow() {
            Start::Failed(reason) => Some(format!("{}: {reason}", node.planned.id)),
            Start::Pending | Start::Done => None,
        };
        state.nodes.values().filter_map(failed).collect()
    }

    /// Stops everything, sources first, so that what they hold can still flow off: a component
    /// stops when all that refer to it have stopped, and those that do not need each other stop at
    /// the same time. Components that a reload has taken out are waited for, too.
    pub async fn stop(&self) {
        let nodes = std::mem::take(&mut *self.state.lock().await).nodes;
        self.meters.running(Vec::new());
        let stopped: HashMap<Arc<str>, CancellationToken> = nodes
            .keys()
            .map(|id| (id.clone(), CancellationToken::new()))
            .collect();
        let mut users: HashMap<Arc<str>, Vec<CancellationToken>> = HashMap::new();
        for node in nodes.values() {
            for needed in node.planned.needs() {
                let user = stopped[&node.planned.id].clone();
                users.entry(needed.clone()).or_default().push(user);
            }
        }
        let stops = nodes.into_iter().map(|(id, node)| {
            let stopped = stopped[&id].clone();
            let users = users.remove(&id).unwrap_or_default();
            async move {
                for user in users {
                    user.cancelled().await;
                }
                node.stop(self.stop_deadline).await;
                stopped.cancel();
            }
        });
        futures::future::join_all(stops.collect::<Vec<_>>()).await;
        self.leaving.close();
        self.leaving.wait().await;
    }

    /// The way into a component, if it is there.
    pub async fn port(&self, id: &str) -> Option<Arc<Port>> {
        let state = self.state.lock().await;
        Some(state.nodes.get(id)?.work.as_ref()?.port.clone())
    }
}

/// What every expression can use on this machine.
pub fn standard_library() -> Library {
    library(System)
}

/// The same for a configuration that is checked here and may run on another machine.
pub fn checking_library() -> Library {
    library(Elsewhere)
}

fn library(environment: impl Environment + 'static) -> Library {
    Library::new(Arc::new(environment), env!("CARGO_PKG_VERSION"))
}
