//! A node of the graph: a block, what it was evaluated to, and what runs for it.

use std::{sync::Arc, time::Duration};

use syntax::{Decoder, Diagnostic, Diagnostics, Evaluator, Scope, Value, stdlib::Library};
use tokio::sync::watch;

use super::{
    Health, HealthReport, Port, Site,
    definition::{Arguments, Instance},
    export::Publisher,
    plan::PlannedNode,
    supervise::{Start, Task},
};
use crate::services::Services;

/// A node that runs, or is about to.
pub(super) struct Node {
    pub(super) planned: PlannedNode,
    pub(super) arguments: Box<dyn Arguments>,
    pub(super) instance: Arc<dyn Instance>,
    /// The number of the instance; only its exports count.
    pub(super) number: u64,
    pub(super) exports: Value,
    pub(super) port: Arc<Port>,
    pub(super) health: HealthReport,
    pub(super) task: Option<Task>,
}

/// What stays of a component's name when its instance changes.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) port: Arc<Port>,
    pub(super) health: HealthReport,
}

impl Place {
    /// The place of a component that was not there before.
    pub(super) fn new(id: &Arc<str>, services: &Services) -> Self {
        let port = Arc::new(Port::new(id.clone(), services.metrics()));
        Self {
            port,
            health: HealthReport::new(),
        }
    }

    /// The place of a component that is there.
    pub(super) fn of(node: &Node) -> Self {
        Self {
            port: node.port.clone(),
            health: node.health.clone(),
        }
    }

    /// What a new instance is told of where it stands.
    pub(super) fn site(&self, id: &Arc<str>, services: &Services, publisher: &Publisher) -> Site {
        Site {
            id: id.clone(),
            services: services.clone(),
            port: self.port.clone(),
            publisher: publisher.of_next_instance(),
            health: self.health.clone(),
        }
    }
}

impl PlannedNode {
    /// Evaluates the block's expressions and decodes them into the arguments of its kind. None
    /// where they are wrong, which the diagnostics say, or depend on a value not known yet.
    pub(super) fn evaluate(
        &self,
        scope: &dyn Scope,
        library: &Library,
        diagnostics: &mut Diagnostics,
    ) -> Option<Box<dyn Arguments>> {
        let evaluator = Evaluator::new(&self.source, scope, library);
        let mut decoder = Decoder::new(&self.block, &evaluator).ignoring_label();
        let arguments = (self.definition.decode)(&self.block.body, &mut decoder);
        diagnostics.extend(decoder.finish());
        arguments
    }

    /// Makes the component, and says where it stands if it cannot be made.
    pub(super) fn build(
        &self,
        arguments: &dyn Arguments,
        site: Site,
    ) -> Result<Arc<dyn Instance>, Diagnostic> {
        arguments.build(site).map_err(|message| {
            let message = format!("failed to build {}: {message}", self.id);
            Diagnostic::error(&self.source, self.block.header(), message)
        })
    }
}

impl Node {
    /// Takes over from a running instance of the same name, or starts as a new one. Traffic goes
    /// to the new instance at once; it runs as soon as the old one has let go.
    pub(super) fn start(&mut self, predecessor: Option<Task>, stop_deadline: Duration) {
        self.port.lead_to(self.instance.consumer());
        self.health
            .evaluated(Health::healthy("component evaluated"));
        let id = self.planned.id.clone();
        let health = self.health.clone();
        let instance = self.instance.clone();
        let task = Task::start(id, instance, health, predecessor, stop_deadline);
        self.task = Some(task);
    }

    /// Whether it has started, now and later.
    pub(super) fn start_watch(&self) -> Option<watch::Receiver<Start>> {
        self.task.as_ref().map(Task::start_watch)
    }

    /// Ends it; upstream is told to come back later.
    pub(super) async fn stop(mut self, deadline: Duration) {
        if let Some(task) = self.task.take() {
            task.stop(&self.planned.id, deadline).await;
        }
        self.port.lead_to(None);
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Node({})", self.planned.id)
    }
}
