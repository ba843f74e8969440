//! `foreach`: the template's components once for each item of a list.

use std::{collections::HashMap, fmt::Write, sync::Arc};

use sha2::{Digest, Sha256};
use syntax::{
    Budget, Decoder, Diagnostic, Diagnostics, Evaluator, Limits, Number, Object, Scope, Value,
    ast::Block, stdlib::Library,
};

use super::{DEPTH_MAX, Draft};
use crate::graph::{
    module::{Catalogue, Located, Names, Space, SpaceKind, blocks, join},
    plan::{PlannedNode, split_template},
};

/// A `foreach` block, without its template.
#[derive(syntax::Arguments)]
struct Arguments {
    /// The items.
    #[attr]
    collection: Vec<Value>,
    /// What the template calls the item.
    #[attr]
    var: String,
    /// The field of an item by which it is known; without it, all of the item.
    #[attr(default = "")]
    id: String,
    /// Whether texts by which items are known are shown as their hashes.
    #[attr(default = false)]
    hash_string_id: bool,
    /// Whether metrics of the components in the template are shown.
    #[attr(default = false)]
    enable_metrics: bool,
}

/// A `foreach` whose template is about to be repeated.
struct Template<'t> {
    node: &'t PlannedNode,
    blocks: Vec<Located>,
    names: &'t Names,
    catalogue: &'t Catalogue<'t>,
    /// The space that it stands in.
    outer: &'t Space<'t>,
    variable: String,
    measured: bool,
}

impl Draft<'_> {
    /// Evaluates the list and goes through the template once for each of its items.
    pub(super) fn foreach(
        &mut self,
        node: PlannedNode,
        space: &Space<'_>,
        catalogue: &Catalogue<'_>,
        names: &Names,
    ) {
        let scope = self.scope(&node);
        let (own, templates) = split_template(&node.block);
        let evaluator = Evaluator::new(&node.source, &scope, &self.rules.library);
        let mut decoder = Decoder::new(&node.block, &evaluator).ignoring_label();
        let arguments = <Arguments as syntax::Arguments>::decode(&own, &mut decoder);
        self.diagnostics.extend(decoder.finish());
        let values = node.listed(&scope, &self.rules.library);
        let Some(template) = self.only(&node, &templates) else {
            return;
        };
        if space.depth >= DEPTH_MAX {
            return self.diagnostics.push(node.error(format!(
                "more than {DEPTH_MAX} custom components are inside of each other"
            )));
        }
        let measured = space.measured && arguments.as_ref().is_some_and(|a| a.enable_metrics);
        let variable = match (&arguments, values.get("var")) {
            (Some(arguments), _) => arguments.var.clone(),
            (None, Some(Value::String(name))) => name.to_string(),
            (None, _) => return,
        };
        let body = template.body.clone();
        let template = Template {
            node: &node,
            blocks: blocks(&node.source, body, &mut self.diagnostics),
            names,
            catalogue,
            outer: space,
            variable,
            measured,
        };
        match arguments {
            Some(arguments) => {
                for (id, item) in identified(&arguments, &self.rules.library) {
                    self.item(&template, &id, item);
                }
            }
            None if self.live.is_none() => self.item(&template, "item", Value::Unknown),
            None => return,
        }
        self.offer(node, Value::Object(values));
    }

    /// The one template that there should be.
    fn only<'t>(&mut self, node: &PlannedNode, templates: &[&'t Block]) -> Option<&'t Block> {
        match templates {
            [only] => Some(only),
            [] => {
                let message = "missing required block \"template\" in block \"foreach\"";
                self.diagnostics.push(node.error(message));
                None
            }
            [_, second, ..] => {
                let message = "block \"template\" may only be given once";
                let error = Diagnostic::error(&node.source, second.header(), message);
                self.diagnostics.push(error);
                None
            }
        }
    }

    fn item(&mut self, template: &Template<'_>, id: &str, item: Value) {
        let Template { node, outer, .. } = template;
        let mut variables = node.variables.clone();
        variables.insert(template.variable.clone(), item);
        let inside = Space {
            id: join(&node.id, id),
            kind: SpaceKind::Template,
            variables,
            outer: Some(template.names),
            catalogue: Some(template.catalogue),
            given: None,
            values: Some(Object::default()),
            measured: template.measured,
            depth: outer.depth + 1,
            imports: outer.imports,
        };
        if !self.is_full(node) {
            self.space(&inside, &template.blocks);
        }
    }
}

impl PlannedNode {
    /// The attributes of a `foreach`: when they are others than before, its items are.
    pub(in crate::graph) fn listed(&self, scope: &dyn Scope, library: &Library) -> Object {
        let (own, _) = split_template(&self.block);
        self.attributes(&own, scope, library, &mut Diagnostics::default())
    }
}

/// The items, each with the name of its space. Items that are known by the same are numbered.
fn identified(arguments: &Arguments, library: &Library) -> Vec<(Arc<str>, Value)> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let items = arguments.collection.iter().map(|item| {
        let field = item.as_object().filter(|_| !arguments.id.is_empty());
        let field = field.and_then(|object| object.get(&arguments.id).cloned());
        let known_by = field.unwrap_or_else(|| item.clone());
        let print = fingerprint(&known_by, arguments.hash_string_id, library);
        let count = seen.entry(print.clone()).or_default();
        *count += 1;
        (format!("foreach_{print}_{count}").into(), item.clone())
    });
    items.collect()
}

/// What an item is known by, as part of an id: letters, digits and underscores.
fn fingerprint(value: &Value, hash_texts: bool, library: &Library) -> String {
    match value {
        Value::String(text) if hash_texts => hash(text),
        Value::String(text) => plain(text),
        Value::Bool(value) => value.to_string(),
        Value::Number(Number::Float(value)) => plain(&format!("{value:.6}")),
        Value::Number(Number::Int(value)) => plain(&value.to_string()),
        Value::Number(Number::Uint(value)) => value.to_string(),
        other => hash(&notation(other, library)),
    }
}

/// A value in Go's notation, of which Alloy takes the hash. What holds a secret is written with the
/// secret hidden: an id must not give it away.
fn notation(value: &Value, library: &Library) -> String {
    let format = library.get("string").and_then(Value::as_object);
    let budget = Budget::new(Limits::default());
    if let Some(Value::Function(format)) = format.as_ref().and_then(|names| names.get("format"))
        && let Ok(Value::String(text)) = format.call(&["%#v".into(), value.clone()], &budget)
    {
        return text.to_string();
    }
    value.to_string()
}

fn plain(text: &str) -> String {
    let part = |c: char| if c.is_alphanumeric() { c } else { '_' };
    text.chars().map(part).collect()
}

fn hash(text: &str) -> String {
    let sum = Sha256::digest(text.as_bytes());
    sum.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::standard_library;

    #[test]
    fn items_are_known_by_what_they_are() {
        let arguments = |collection: Vec<Value>, id: &str, hash_string_id| Arguments {
            collection,
            var: "each".to_owned(),
            id: id.to_owned(),
            hash_string_id,
            enable_metrics: false,
        };
        let library = standard_library();
        let named = |name: &str| Value::object([("name", Value::from(name))]);
        let all = "b5d4045c3f466fa91fe2cc6abe79232a1a57cdf104f7a26e716e0a1e2789df78";
        for (arguments, expected) in [
            (
                arguments(vec!["a.b/c".into(), "a".into(), "a".into()], "", false),
                vec!["foreach_a_b_c_1", "foreach_a_1", "foreach_a_2"],
            ),
            (
                arguments(
                    vec![7_i64.into(), true.into(), 1.5.into(), (-3_i64).into()],
                    "",
                    false,
                ),
                vec![
                    "foreach_7_1",
                    "foreach_true_1",
                    "foreach_1_500000_1",
                    "foreach__3_1",
                ],
            ),
            (
                arguments(vec![named("x"), named("x"), named("y")], "name", false),
                vec!["foreach_x_1", "foreach_x_2", "foreach_y_1"],
            ),
            (
                arguments(vec!["ABC".into()], "", true),
                vec![&format!("foreach_{all}_1")],
            ),
        ] {
            let found = identified(&arguments, &library);
            let found: Vec<&str> = found.iter().map(|(id, _)| &**id).collect();
            assert_eq!(found, expected);
        }
        let whole = arguments(vec![named("x"), named("y")], "other", false);
        let found = identified(&whole, &library);
        assert_eq!(found[0].0.len(), "foreach__1".len() + 64);
        assert_ne!(found[0].0, found[1].0);
    }

    #[test]
    fn hashes_are_those_of_alloy() {
        let library = standard_library();
        let inner = Value::object([("d", Value::from(1_i64))]);
        let list = vec![
            1_i64.into(),
            "y".into(),
            true.into(),
            2.5.into(),
            Value::Null,
        ];
        let fields = [("b", "x".into()), ("a", Value::array(list)), ("c", inner)];
        for (value, expected) in [
            (
                Value::object([("a", Value::from(1_i64))]),
                "e306482c2b6f1f22b6c0b16b9eddad5a04e31bade9dd7b92fefb2e201ae507ff",
            ),
            (
                Value::object(fields),
                "6d176ad891af6642c859d326d0c9f075e70166d43dd40edac97c80ffbe3f7994",
            ),
            (
                Value::array([1_i64.into(), "a".into()]),
                "1d6ec1ccbb9a7e932817dce87bbdfd49abb87b0435457a119140ea81788c8219",
            ),
            (
                Value::Null,
                "a9dc16a7a3875d174c1af4f923f261cafc124357f2322493a59ee0d14fcd10db",
            ),
        ] {
            assert_eq!(fingerprint(&value, false, &library), expected, "{value}");
        }
        let secret = |text: &str| Value::array([Value::Secret(syntax::Secret::new(text))]);
        let hidden = ["a", "b"].map(|text| fingerprint(&secret(text), false, &library));
        assert_eq!(hidden[0], hidden[1]);
    }
}
