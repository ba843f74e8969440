//! Components and configuration blocks: evaluated, and built where they are new or changed.

use syntax::{Span, Value};

use super::{Draft, Live, Prepared};
use crate::graph::{
    Definition,
    definition::Arguments,
    node::{Evaluated, Node, Place, Work},
    plan::PlannedNode,
};

impl Draft<'_> {
    /// Evaluates a component; keeps the one that runs, if its arguments are the same, or makes a
    /// new one.
    pub(super) fn component(&mut self, node: PlannedNode, definition: &'static Definition) {
        let scope = self.scope(&node);
        let library = &self.rules.library;
        let Evaluated { arguments, files } =
            node.evaluate(definition, &scope, library, &mut self.diagnostics);
        let Some(live) = self.live else {
            return self.try_out(node, definition, arguments.as_deref(), &files);
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

    /// Builds a component, to find what is wrong with it, and drops it again. What depends on a file
    /// that this machine does not have is not built: then only the kind of what it exports is known.
    fn try_out(
        &mut self,
        node: PlannedNode,
        definition: &'static Definition,
        arguments: Option<&dyn Arguments>,
        files: &[(Span, String)],
    ) {
        let lacks_files = node.lacks_files(files, &mut self.diagnostics);
        let mut exports = definition.unknown_exports();
        if let (Some(arguments), Some(bench)) = (arguments.filter(|_| !lacks_files), &self.bench) {
            let place = Place::new(&node, &bench.services);
            let site = place.site(&node, &bench.services, &bench.publisher);
            match node.build(arguments, site) {
                Ok(instance) => exports = instance.exports(),
                Err(diagnostic) => self.diagnostics.push(diagnostic),
            }
        }
        self.offer(node, exports);
    }
}
