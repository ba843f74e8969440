//! Components and configuration blocks: evaluated, and built where they are new or changed.

use syntax::Value;

use super::{Draft, Live, Prepared};
use crate::graph::{
    Definition,
    node::{Node, Place, Work},
    plan::PlannedNode,
};

impl Draft<'_> {
    /// Evaluates a component; keeps the one that runs, if its arguments are the same, or makes a
    /// new one.
    pub(super) fn component(&mut self, node: PlannedNode, definition: &'static Definition) {
        let scope = self.scope(&node);
        let library = &self.rules.library;
        let arguments = node.evaluate(definition, &scope, library, &mut self.diagnostics);
        let Some(live) = self.live else {
            let exports = definition.unknown_exports();
            return self.offer(node, exports);
        };
        let Some(arguments) = arguments else { return };
        let present = live.running.get(&node.id);
        if let Some(present) = present.filter(|present| present.would_be(&node, &*arguments)) {
            let exports = present.exports.clone();
            self.exports.insert(node.id.clone(), exports);
            return self.prepared.push(Prepared::Kept(node, None));
        }
        if let Some(mut ready) = self.ready.remove(&node.id)
            && ready.would_be(&node, &*arguments)
        {
            self.exports.insert(node.id.clone(), ready.exports.clone());
            ready.planned = node;
            return self.prepared.push(Prepared::New(ready));
        }
        let place = present.and_then(|present| Place::of(present, &node));
        let place = place.unwrap_or_else(|| Place::new(&node, live.services));
        let Live { publisher, .. } = live;
        let site = place.site(&node, live.services, publisher);
        let number = site.publisher.instance();
        match node.build(&*arguments, site) {
            Ok(instance) => {
                let exports: Value = instance.exports();
                self.exports.insert(node.id.clone(), exports.clone());
                let work = Work {
                    arguments,
                    instance,
                    number,
                    port: place.port,
                    task: None,
                };
                let node = Node::working(node, work, exports, place.health);
                self.prepared.push(Prepared::New(Box::new(node)));
            }
            Err(diagnostic) => self.diagnostics.push(diagnostic),
        }
    }
}
