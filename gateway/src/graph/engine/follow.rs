//! Carries changed exports to those who use them, for as long as the engine lives.

use std::{collections::HashSet, sync::Arc};

use syntax::{Diagnostics, Object, Value};

use super::{Engine, Nodes};
use crate::graph::{
    Definition, Health,
    draft::exports_of,
    export::Published,
    node::{Node, Place},
    plan::{Kind, Reference},
    scope::NodeScope,
};

impl Engine {
    /// Carries changed exports to the components that use them, for as long as the engine lives.
    pub async fn follow(&self) {
        tokio::join!(self.follow_exports(), self.follow_changes());
    }

    async fn follow_exports(&self) {
        let mut published = self.published.lock().await;
        while let Some(published) = published.recv().await {
            self.take(published).await;
        }
    }

    async fn take(&self, published: Published) {
        let Published {
            id,
            instance,
            exports,
            at,
        } = published;
        let nodes = &mut self.state.lock().await.nodes;
        self.meters.waited(at);
        let Some(node) = nodes.get_mut(&id) else {
            return;
        };
        let number = node.work.as_ref().map(|work| work.number);
        if number != Some(instance) {
            return;
        }
        if matches!(node.planned.kind, Kind::Import(_)) {
            self.offer(node, exports);
        } else if node.exports != exports {
            node.exports = exports;
            self.reevaluate(nodes, &id);
        }
    }

    /// Takes new content of an import, of which something has to be made.
    fn offer(&self, node: &mut Node, content: Value) {
        if node.exports == content {
            // It is again what it was.
            node.candidate = None;
            node.health.evaluated(Health::healthy("module updated"));
        } else {
            node.candidate = Some(content);
            self.changed.notify_one();
        }
    }

    /// Evaluates all that depends on a node again, in dependency order.
    fn reevaluate(&self, nodes: &mut Nodes, changed: &Arc<str>) {
        let _evaluating = self.meters.evaluating();
        let mut dirty = HashSet::from([changed.clone()]);
        for at in 0..nodes.len() {
            let planned = &nodes[at].planned;
            if !planned.needs().any(|id| dirty.contains(id)) {
                continue;
            }
            match self.evaluate(nodes, at) {
                Ok(true) => drop(dirty.insert(nodes[at].planned.id.clone())),
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
    fn evaluate(&self, nodes: &mut Nodes, at: usize) -> Result<bool, String> {
        let planned = &nodes[at].planned;
        let _evaluation = self.meters.evaluate(&planned.id);
        let scope = scope(nodes, &planned.variables, &planned.references);
        let mut diagnostics = Diagnostics::default();
        let library = &self.rules.library;
        let value = match &planned.kind {
            Kind::Component(definition) => return self.rebuild(nodes, at, definition, &scope),
            Kind::Argument(given) => {
                let outside = match given {
                    Some(given) => self::scope(nodes, &given.variables, &given.references),
                    None => NodeScope::default(),
                };
                let value = planned.argument(&outside, &scope, library, &mut diagnostics);
                value.map(|value| Value::object([("value", value)]))
            }
            Kind::Export => planned.exported(&scope, library, &mut diagnostics),
            Kind::Instance(exports) => Some(exports_of(exports, |id| {
                nodes.get(id).map(|node| node.exports.clone())
            })),
            Kind::Foreach => {
                let values = Value::Object(planned.listed(&scope, library));
                let node = &mut nodes[at];
                let differs = node.exports != values;
                return Ok(self.note(node, differs));
            }
            Kind::Import(definition) => {
                let evaluated = planned.evaluate(definition, &scope, library, &mut diagnostics);
                let Some(arguments) = evaluated.arguments else {
                    return Err(diagnostics.render());
                };
                let node = &mut nodes[at];
                let differs = !node.would_be(&node.planned, &*arguments);
                return Ok(self.note(node, differs));
            }
            Kind::Declare | Kind::Unusable => return Ok(false),
        };
        let Some(value) = value.filter(|_| !diagnostics.has_errors()) else {
            return Err(diagnostics.render());
        };
        let node = &mut nodes[at];
        node.health
            .evaluated(Health::healthy("component evaluated"));
        let changed = node.exports != value;
        node.exports = value;
        Ok(changed)
    }

    /// Notes whether a node has to be made of something else than it is; its value stays.
    fn note(&self, node: &mut Node, differs: bool) -> bool {
        node.stale = differs;
        if differs {
            self.changed.notify_one();
        } else {
            node.health
                .evaluated(Health::healthy("component evaluated"));
        }
        false
    }

    /// Evaluates a component again, and builds it anew if its arguments come out different.
    fn rebuild(
        &self,
        nodes: &mut Nodes,
        at: usize,
        definition: &Definition,
        scope: &NodeScope,
    ) -> Result<bool, String> {
        let node = &mut nodes[at];
        let planned = &node.planned;
        let mut diagnostics = Diagnostics::default();
        let library = &self.rules.library;
        let evaluated = planned.evaluate(definition, scope, library, &mut diagnostics);
        let arguments = evaluated.arguments;
        let Some(arguments) = arguments.filter(|_| !diagnostics.has_errors()) else {
            return Err(diagnostics.render());
        };
        if node.would_be(planned, &*arguments) {
            node.health
                .evaluated(Health::healthy("component evaluated"));
            return Ok(false);
        }
        let Some(place) = Place::of(node, planned) else {
            return Ok(false);
        };
        let site = place.site(planned, &self.services, &self.publisher);
        let number = site.publisher.instance();
        let instance = planned
            .build(&*arguments, site)
            .map_err(|diagnostic| diagnostic.message)?;
        let exports = instance.exports();
        let changed = node.exports != exports;
        node.exports = exports;
        let predecessor = node.take_task();
        if let Some(work) = &mut node.work {
            (work.arguments, work.instance) = (arguments, instance);
            work.number = number;
        }
        node.start(predecessor, self.stop_deadline);
        let id = &node.planned.id;
        tracing::info!(component = %id, "component updated: what it refers to changed");
        Ok(changed)
    }
}

/// What expressions see of the nodes that run.
fn scope(nodes: &Nodes, variables: &Object, references: &[Reference]) -> NodeScope {
    let seen = references.iter().filter_map(|reference| {
        let node = nodes.get(&reference.id)?;
        Some((reference.name.clone(), node.exports.clone()))
    });
    NodeScope::new(variables, seen)
}
