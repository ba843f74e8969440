//! Custom components: their arguments are evaluated, and then what is in them.

use std::sync::Arc;

use syntax::{
    Decoder, Diagnostic, Diagnostics, Evaluator, Object, Scope, Value, ast::Body, did_you_mean,
    stdlib::Library,
};

use super::{DEPTH_MAX, Draft};
use crate::graph::{
    module::{Catalogue, Declare, Found, Given, Located, Space, SpaceKind, join, local},
    plan::{Kind, PlannedNode, undefined},
};

impl Draft<'_> {
    /// Evaluates an instance, fills the space inside it and gives it its exports.
    pub(super) fn instance(
        &mut self,
        mut node: PlannedNode,
        space: &Space<'_>,
        catalogue: &Catalogue<'_>,
    ) {
        let scope = self.scope(&node);
        let (body, library) = (&node.block.body, &self.rules.library);
        let values = node.attributes(body, &scope, library, &mut self.diagnostics);
        let at = Located {
            source: node.source.clone(),
            block: node.block.clone(),
        };
        let (declare, home) = match catalogue.find(&node.block.name) {
            Found::Declare(declare, home) => (declare, home),
            Found::Unread => return,
            Found::Missing(known) => return self.diagnostics.push(undefined(&at, &known)),
        };
        declare.used();
        if space.depth >= DEPTH_MAX {
            return self.diagnostics.push(node.error(format!(
                "more than {DEPTH_MAX} custom components are inside of each other"
            )));
        }
        self.refuse_unknown(&node, declare);
        let given = Given {
            at,
            variables: node.variables.clone(),
            references: node.references.clone(),
        };
        let inside = Space {
            id: node.id.clone(),
            kind: SpaceKind::Custom,
            variables: home.variables().clone(),
            outer: None,
            catalogue: Some(home),
            given: Some(Arc::new(given)),
            values: Some(values),
            measured: space.measured,
            depth: space.depth + 1,
            imports: home.depth(),
        };
        self.space(&inside, &declare.blocks);
        let exports = declare.labels("export");
        let exports: Vec<Arc<str>> = exports
            .map(|label| join(&node.id, &format!("export.{label}")))
            .collect();
        let value = exports_of(&exports, |id| self.exports.get(id).cloned());
        node.kind = Kind::Instance(exports);
        self.offer(node, value);
    }

    /// Reports the attributes that are no arguments.
    fn refuse_unknown(&mut self, node: &PlannedNode, declare: &Declare) {
        let known: Vec<&str> = declare.labels("argument").collect();
        for attribute in node.block.body.attributes() {
            let name = attribute.name.text.as_str();
            if known.contains(&name) {
                continue;
            }
            let message = format!("unknown attribute {name:?} in block {:?}", node.name());
            let error = Diagnostic::error(&node.source, attribute.name.span, message);
            let note = did_you_mean(name, known.iter().copied());
            let note = note.unwrap_or_else(|| match known.as_slice() {
                [] => format!("note: block {:?} has no arguments", node.name()),
                known => format!("note: there are {}", known.join(", ")),
            });
            self.diagnostics.push(error.with_note(note));
        }
    }

    /// Checks the custom components of a space of which there are no instances, with arguments of
    /// any value.
    pub(super) fn check_unused(&mut self, space: &str, catalogue: &Catalogue<'_>, depth: usize) {
        for declare in catalogue.declares().filter(|declare| !declare.is_used()) {
            let inside = Space {
                id: join(space, &declare.block.id()),
                kind: SpaceKind::Custom,
                variables: catalogue.variables().clone(),
                outer: None,
                catalogue: Some(catalogue),
                given: None,
                values: None,
                measured: true,
                depth: depth + 1,
                imports: catalogue.depth(),
            };
            if inside.depth <= DEPTH_MAX {
                self.space(&inside, &declare.blocks);
            }
        }
    }
}

impl PlannedNode {
    /// Evaluates attributes of any names.
    pub(super) fn attributes(
        &self,
        body: &Body,
        scope: &dyn Scope,
        library: &Library,
        diagnostics: &mut Diagnostics,
    ) -> Object {
        let evaluator = Evaluator::new(&self.source, scope, library);
        let mut decoder = Decoder::new(&self.block, &evaluator).ignoring_label();
        let values = decoder.attributes(body);
        diagnostics.extend(decoder.finish());
        values
    }
}

/// What a custom component offers, by the ids of its exports. What is not known is unknown.
pub(in crate::graph) fn exports_of(
    ids: &[Arc<str>],
    value: impl Fn(&Arc<str>) -> Option<Value>,
) -> Value {
    let export = |id: &Arc<str>| {
        let label = local(id).trim_start_matches("export.");
        (label.to_owned(), value(id).unwrap_or(Value::Unknown))
    };
    Value::object(ids.iter().map(export))
}
