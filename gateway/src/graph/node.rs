//! A node of the graph: a block, what it was evaluated to, and what runs for it.

use std::{sync::Arc, time::Duration};

use syntax::{
    Decoder, Diagnostic, Diagnostics, Evaluator, Scope, Span, Value,
    stdlib::{Elsewhere, Environment, Library},
};
use tokio::sync::watch;

use super::{
    Definition, Health, HealthReport, Port, Site,
    definition::{Arguments, Instance},
    export::Publisher,
    plan::{Kind, PlannedNode},
    supervise::{Start, Task},
};
use crate::services::Services;

/// A node that runs, or is about to.
pub(super) struct Node {
    pub(super) planned: PlannedNode,
    pub(super) exports: Value,
    pub(super) health: HealthReport,
    /// What runs; nothing where the node is only a value.
    pub(super) work: Option<Work>,
    /// Whether it is made of something else than it should be.
    pub(super) stale: bool,
    /// What an import has fetched and nothing was made of yet.
    pub(super) candidate: Option<Value>,
}

/// What runs for a node.
pub(super) struct Work {
    pub(super) arguments: Box<dyn Arguments>,
    pub(super) instance: Arc<dyn Instance>,
    /// The number of the instance; only its exports count.
    pub(super) number: u64,
    pub(super) port: Arc<Port>,
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
    pub(super) fn new(node: &PlannedNode, services: &Services) -> Self {
        let services = services_of(node, services);
        Self {
            port: Arc::new(Port::new(node.id.clone(), services.metrics())),
            health: HealthReport::new(),
        }
    }

    /// The place of a component that is there, if it can stay.
    pub(super) fn of(present: &Node, node: &PlannedNode) -> Option<Self> {
        let work = present.work.as_ref();
        let work = work.filter(|_| present.planned.measured == node.measured)?;
        Some(Self {
            port: work.port.clone(),
            health: present.health.clone(),
        })
    }

    /// What a new instance is told of where it stands.
    pub(super) fn site(
        &self,
        node: &PlannedNode,
        services: &Services,
        publisher: &Publisher,
    ) -> Site {
        Site {
            id: node.id.clone(),
            services: services_of(node, services),
            port: self.port.clone(),
            publisher: publisher.of_next_instance(),
            health: self.health.clone(),
        }
    }
}

/// The services that a node is given.
fn services_of(node: &PlannedNode, services: &Services) -> Services {
    match node.measured {
        true => services.clone(),
        false => services.unmeasured(),
    }
}

/// What a block was evaluated to.
pub(super) struct Evaluated {
    /// None where they are wrong, which the diagnostics say, or depend on a value not known yet.
    pub(super) arguments: Option<Box<dyn Arguments>>,
    /// The files that the arguments name, and where they do.
    pub(super) files: Vec<(Span, String)>,
}

impl PlannedNode {
    /// Evaluates the block's expressions and decodes them into the arguments of its kind.
    pub(super) fn evaluate(
        &self,
        definition: &Definition,
        scope: &dyn Scope,
        library: &Library,
        diagnostics: &mut Diagnostics,
    ) -> Evaluated {
        let evaluator = Evaluator::new(&self.source, scope, library);
        let mut decoder = Decoder::new(&self.block, &evaluator).ignoring_label();
        let arguments = (definition.decode)(&self.block.body, &mut decoder);
        let files = decoder.files().to_vec();
        diagnostics.extend(decoder.finish());
        Evaluated { arguments, files }
    }

    /// Warns of old names, and of each variable that is asked for and not set on this machine.
    pub(super) fn warn(&self, diagnostics: &mut Diagnostics) {
        let shadowed = |name: &str| {
            let mut names = self.references.iter().map(|reference| &reference.name);
            names.any(|known| known.split('.').next() == Some(name))
        };
        diagnostics.extend(syntax::lint(&self.source, &self.block.body, shadowed));
        for (span, name) in syntax::variables(&self.block.body) {
            if Elsewhere.variable(&name).is_none() {
                let message = format!("the variable {name} is not set on this machine");
                let note = "note: what depends on its value is not checked here";
                diagnostics.push(Diagnostic::warning(&self.source, span, message).with_note(note));
            }
        }
    }

    /// Warns of each named file that cannot be read on this machine; whether there is one.
    pub(super) fn lacks_files(
        &self,
        files: &[(Span, String)],
        diagnostics: &mut Diagnostics,
    ) -> bool {
        let mut lacks = false;
        for (span, path) in files.iter().filter(|(_, path)| !path.is_empty()) {
            if let Err(error) = std::fs::File::open(path) {
                let message = format!("cannot read {path} on this machine: {error}");
                let note = "note: where it cannot be read, the configuration does not run; what \
                            depends on its content is not checked here";
                diagnostics.push(Diagnostic::warning(&self.source, *span, message).with_note(note));
                lacks = true;
            }
        }
        lacks
    }

    /// Makes the component, and says where it stands if it cannot be made.
    pub(super) fn build(
        &self,
        arguments: &dyn Arguments,
        site: Site,
    ) -> Result<Arc<dyn Instance>, Diagnostic> {
        arguments
            .build(site)
            .map_err(|message| self.error(format!("failed to build {}: {message}", self.id)))
    }

    /// The row of the table that it is of, if it is of one.
    pub(super) fn definition(&self) -> Option<&'static Definition> {
        match self.kind {
            Kind::Component(definition) | Kind::Import(definition) => Some(definition),
            _ => None,
        }
    }
}

impl Node {
    /// A node for which something runs.
    pub(super) fn working(
        planned: PlannedNode,
        work: Work,
        exports: Value,
        health: HealthReport,
    ) -> Self {
        Self {
            planned,
            exports,
            health,
            work: Some(work),
            stale: false,
            candidate: None,
        }
    }

    /// A node that is a value.
    pub(super) fn value(planned: PlannedNode, exports: Value, health: HealthReport) -> Self {
        health.evaluated(Health::healthy("component evaluated"));
        health.running(Health::healthy(match planned.kind {
            Kind::Foreach => "started foreach",
            _ => "started custom component",
        }));
        Self {
            planned,
            exports,
            health,
            work: None,
            stale: false,
            candidate: None,
        }
    }

    /// Whether the graph has to be changed for it.
    pub(super) fn waits(&self) -> bool {
        self.stale || self.candidate.is_some()
    }

    /// Whether the component that runs is the one that would be made for another block.
    pub(super) fn would_be(&self, other: &PlannedNode, arguments: &dyn Arguments) -> bool {
        let same_kind = match (self.planned.definition(), other.definition()) {
            (Some(one), Some(other)) => std::ptr::eq(one, other),
            _ => false,
        };
        let work = self.work.as_ref();
        same_kind
            && self.planned.measured == other.measured
            && work.is_some_and(|work| work.arguments.equals(arguments))
    }

    /// Takes over from a running instance of the same name, or starts as a new one. Traffic goes
    /// to the new instance at once; it runs as soon as the old one has let go.
    pub(super) fn start(&mut self, predecessor: Option<Task>, stop_deadline: Duration) {
        self.health
            .evaluated(Health::healthy("component evaluated"));
        if let Some(work) = &mut self.work {
            work.port.lead_to(work.instance.consumer());
            let id = self.planned.id.clone();
            let (health, instance) = (self.health.clone(), work.instance.clone());
            work.task = Some(Task::start(
                id,
                instance,
                health,
                predecessor,
                stop_deadline,
            ));
        }
    }

    /// Takes its task out of it, for a successor to wait for.
    pub(super) fn take_task(&mut self) -> Option<Task> {
        self.work.as_mut()?.task.take()
    }

    /// Whether it has started, now and later.
    pub(super) fn start_watch(&self) -> Option<watch::Receiver<Start>> {
        self.work.as_ref()?.task.as_ref().map(Task::start_watch)
    }

    /// Ends it; upstream is told to come back later.
    pub(super) async fn stop(mut self, deadline: Duration) {
        if let Some(task) = self.take_task() {
            task.stop(&self.planned.id, deadline).await;
        }
        if let Some(work) = self.work {
            work.port.lead_to(None);
        }
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Node({})", self.planned.id)
    }
}
