//! The arguments and exports of a custom component, seen from inside.

use syntax::{Decoder, Diagnostics, Evaluator, Scope, Value, stdlib::Library};

use super::Draft;
use crate::graph::{
    module::{Given, Space},
    plan::{Kind, PlannedNode},
};

/// An `argument` block.
#[derive(syntax::Arguments)]
struct Argument {
    /// Whether an instance may leave it out.
    #[attr(default = false)]
    optional: bool,
    /// The value if it is left out.
    #[attr]
    default: Option<Value>,
    /// What it is for.
    #[attr(default = "")]
    comment: String,
}

/// An `export` block.
#[derive(syntax::Arguments)]
struct Export {
    /// The value.
    #[attr]
    value: Value,
}

impl Draft<'_> {
    /// Gives an argument the value that the instance gives it, or its default.
    pub(super) fn argument(&mut self, node: PlannedNode, space: &Space<'_>) {
        let scope = self.scope(&node);
        let library = &self.rules.library;
        let argument = decode::<Argument>(&node, &scope, library, &mut self.diagnostics);
        let value = match (&space.values, argument) {
            (Some(values), argument) => match (values.get(node.label()), argument) {
                (Some(value), _) => value.clone(),
                (None, Some(argument)) => {
                    if !argument.optional
                        && let Some(given) = &space.given
                    {
                        self.missing(&node, given, &argument.comment);
                    }
                    argument.default.unwrap_or_default()
                }
                (None, None) => Value::Unknown,
            },
            (None, _) => Value::Unknown,
        };
        self.offer(node, Value::object([("value", value)]));
    }

    /// Works out what a custom component offers.
    pub(super) fn export(&mut self, node: PlannedNode) {
        let scope = self.scope(&node);
        let library = &self.rules.library;
        let value = node.exported(&scope, library, &mut self.diagnostics);
        self.offer(node, value.unwrap_or(Value::Unknown));
    }

    fn missing(&mut self, node: &PlannedNode, given: &Given, comment: &str) {
        let (name, block) = (node.label(), &given.at.block);
        let line = node.source.line_of(node.block.span.start);
        let (of, file) = (block.name.dotted(), node.source.name());
        let message = format!("missing required attribute {name:?} in block {of:?}");
        let mut note = format!("note: it is an argument at {file}:{line}");
        if !comment.is_empty() {
            note = format!("{note}: {comment}");
        }
        let error = syntax::Diagnostic::error(&given.at.source, block.header(), message);
        self.diagnostics.push(error.with_note(note));
    }
}

impl PlannedNode {
    /// The value of an export; none if it is wrong, or not known yet.
    pub(in crate::graph) fn exported(
        &self,
        scope: &dyn Scope,
        library: &Library,
        diagnostics: &mut Diagnostics,
    ) -> Option<Value> {
        decode::<Export>(self, scope, library, diagnostics).map(|export| export.value)
    }

    /// The value of an argument again: its instance's attribute, evaluated where that stands, or
    /// else its default. None if it is not known.
    pub(in crate::graph) fn argument(
        &self,
        outside: &dyn Scope,
        inside: &dyn Scope,
        library: &Library,
        diagnostics: &mut Diagnostics,
    ) -> Option<Value> {
        if let Kind::Argument(Some(given)) = &self.kind {
            let mut attributes = given.at.block.body.attributes();
            let given_here = attributes.find(|attribute| attribute.name.text == self.label());
            if let Some(attribute) = given_here {
                let evaluator = Evaluator::new(&given.at.source, outside, library);
                return match evaluator.evaluate(&attribute.value) {
                    Ok(value) => Some(value),
                    Err(diagnostic) => {
                        diagnostics.push(diagnostic);
                        None
                    }
                };
            }
        }
        let argument = decode::<Argument>(self, inside, library, diagnostics)?;
        Some(argument.default.unwrap_or_default())
    }
}

/// Decodes the block of a node that is not of the table.
fn decode<T: syntax::Arguments>(
    node: &PlannedNode,
    scope: &dyn Scope,
    library: &Library,
    diagnostics: &mut Diagnostics,
) -> Option<T> {
    let evaluator = Evaluator::new(&node.source, scope, library);
    let mut decoder = Decoder::new(&node.block, &evaluator).ignoring_label();
    let decoded = T::decode(&node.block.body, &mut decoder);
    diagnostics.extend(decoder.finish());
    decoded
}
