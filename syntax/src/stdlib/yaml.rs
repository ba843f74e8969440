//! YAML into values, as Alloy's library decodes it.
//!
//! Only the first document of a text is read. Anchors, aliases and merge keys work; a key that
//! occurs twice is an error. The keys of an object are texts here, whatever they look like: `8080:`
//! is the field `"8080"`. (Alloy makes an object with such a key one that nothing can look into.)

mod compose;
mod scalar;
mod timestamp;

use std::collections::{HashMap, HashSet};

use compose::{Content, Document, Node, NodeId};

use super::DATA_NESTING_MAX;
use crate::value::{Object, Value};

/// How many values a text may decode to. What aliases repeat counts each time, since whatever
/// walks the value will walk it again: a text of a few lines can stand for billions of values.
const NODES_MAX: usize = 1_000_000;

/// A value, and how much is in it.
#[derive(Clone)]
struct Decoded {
    value: Value,
    nodes: usize,
    depth: usize,
}

struct Decoder<'a> {
    document: &'a Document,
    /// What was decoded so far, for aliases.
    known: HashMap<NodeId, Decoded>,
    /// What is being decoded: an alias of it would never end.
    open: HashSet<NodeId>,
    nodes: usize,
}

type Fields = indexmap::IndexMap<String, Decoded>;

/// Decodes the first document of a text; null if there is none.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let Some(document) = compose::document(text)? else {
        return Ok(Value::Null);
    };
    let mut decoder = Decoder {
        document: &document,
        known: HashMap::new(),
        open: HashSet::new(),
        nodes: 0,
    };
    Ok(decoder.decode(document.root, 0)?.value)
}

impl<'a> Decoder<'a> {
    fn decode(&mut self, id: NodeId, depth: usize) -> Result<Decoded, String> {
        let node = self.document.node(id);
        if let Content::Alias(target) = node.content {
            return self.alias(target, node, depth);
        }
        self.enter(node, depth)?;
        self.open.insert(id);
        let decoded = match &node.content {
            Content::Scalar(scalar) => {
                let value = scalar::resolve(scalar).map_err(|error| node.wrong(&error))?;
                Decoded::new(value, [])
            }
            Content::Sequence(elements) => {
                let elements = elements.iter().map(|id| self.decode(*id, depth + 1));
                let elements = elements.collect::<Result<Vec<_>, _>>()?;
                let values = elements.iter().map(|element| element.value.clone());
                Decoded::new(Value::array(values), &elements)
            }
            Content::Mapping(fields) => {
                let fields = self.mapping(fields, depth)?;
                let values = fields
                    .iter()
                    .map(|(key, field)| (key.clone(), field.value.clone()));
                let object = values.collect::<Object>();
                Decoded::new(Value::Object(object), fields.values())
            }
            Content::Alias(_) => Decoded::new(Value::Null, []),
        };
        self.open.remove(&id);
        // Aliases may stack what is flat in the text.
        if decoded.depth + depth > DATA_NESTING_MAX {
            return Err(too_deep(node));
        }
        if node.anchored {
            self.known.insert(id, decoded.clone());
        }
        Ok(decoded)
    }

    fn alias(&mut self, target: NodeId, node: &Node, depth: usize) -> Result<Decoded, String> {
        if self.open.contains(&target) {
            return Err(node.wrong("the alias is inside of its own anchor"));
        }
        let Some(known) = self.known.get(&target).cloned() else {
            return self.decode(target, depth);
        };
        self.count(known.nodes, node)?;
        if known.depth + depth > DATA_NESTING_MAX {
            return Err(too_deep(node));
        }
        Ok(known)
    }

    /// The fields of a mapping: its own, and then those of its merge key that it does not have.
    fn mapping(&mut self, pairs: &[(NodeId, NodeId)], depth: usize) -> Result<Fields, String> {
        self.refuse_twice(pairs)?;
        let mut fields = Fields::new();
        let mut merge = None;
        for (key, value) in pairs {
            if self.document.node(*key).is_merge() {
                merge = Some(*value);
                continue;
            }
            let key = self.key(*key)?;
            let value = self.decode(*value, depth + 1)?;
            fields.insert(key, value);
        }
        if let Some(merge) = merge {
            self.merge(merge, &mut fields, depth + 1, true)?;
        }
        Ok(fields)
    }

    fn refuse_twice(&self, pairs: &[(NodeId, NodeId)]) -> Result<(), String> {
        let mut seen = HashMap::new();
        for (key, _) in pairs {
            let node = self.document.node(*key);
            if let Some(line) = seen.insert(node.identity(), node.line) {
                let (_, text) = node.identity();
                return Err(node.wrong(&format!("the key {text:?} is in line {line} already")));
            }
        }
        Ok(())
    }

    fn key(&mut self, id: NodeId) -> Result<String, String> {
        let node = self.document.node(id);
        match &self.document.target(id).content {
            Content::Scalar(scalar) => {
                self.count(1, node)?;
                Ok(scalar.text.clone())
            }
            _ => Err(node.wrong("a list or a map cannot be a key")),
        }
    }

    /// Adds the fields of a map, or of each map of a list. What is there already stays.
    fn merge(
        &mut self,
        id: NodeId,
        fields: &mut Fields,
        depth: usize,
        list_allowed: bool,
    ) -> Result<(), String> {
        let node = self.document.node(id);
        if let (Content::Sequence(maps), true) = (&node.content, list_allowed) {
            return maps
                .iter()
                .try_for_each(|map| self.merge(*map, fields, depth, false));
        }
        let target = self.document.target(id);
        let Content::Mapping(pairs) = &target.content else {
            return Err(node.wrong("a merge key (`<<`) needs a map, or a list of maps"));
        };
        self.enter(node, depth)?;
        let target_id = self.document.target_id(id);
        if !self.open.insert(target_id) {
            return Err(node.wrong("a merge key (`<<`) merges a map into itself"));
        }
        for (key, field) in self.mapping(pairs, depth)? {
            fields.entry(key).or_insert(field);
        }
        self.open.remove(&target_id);
        Ok(())
    }

    fn enter(&mut self, node: &Node, depth: usize) -> Result<(), String> {
        if depth >= DATA_NESTING_MAX {
            return Err(too_deep(node));
        }
        self.count(1, node)
    }

    fn count(&mut self, nodes: usize, node: &Node) -> Result<(), String> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > NODES_MAX {
            return Err(node.wrong(&format!(
                "the text stands for too many values (limit: YAML values, {NODES_MAX})"
            )));
        }
        Ok(())
    }
}

fn too_deep(node: &Node) -> String {
    node.wrong(&format!(
        "it is nested too deeply (limit: nesting, {DATA_NESTING_MAX} levels)"
    ))
}

// === impl Decoded ===

impl Decoded {
    fn new<'a>(value: Value, parts: impl IntoIterator<Item = &'a Self>) -> Self {
        let (mut nodes, mut depth) = (1usize, 0);
        for part in parts {
            nodes = nodes.saturating_add(part.nodes);
            depth = depth.max(part.depth + 1);
        }
        Self {
            value,
            nodes,
            depth,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_and_lists_are_decoded_in_order() {
        let table = [
            ("", "null"),
            ("# only a comment\n", "null"),
            (
                "b: 1\na: [x, {y: z}]\n",
                r#"{ b = 1, a = ["x", { y = "z" }] }"#,
            ),
            ("- 1\n- two\n-\n- - 3\n", r#"[1, "two", null, [3]]"#),
            ("{\"a\":1,\"b\":[1,2]}", "{ a = 1, b = [1, 2] }"),
            (
                "a: |\n  x\n   y\nb: >-\n  z\n  w\n",
                r#"{ a = "x\n y\n", b = "z w" }"#,
            ),
            (
                "a: 'it''s'\nb: \"\\u00e9\\x41\"",
                r#"{ a = "it's", b = "éA" }"#,
            ),
            (
                "8080: a\ntrue: b\n1.50: c",
                r#"{ "8080" = "a", "true" = "b", "1.50" = "c" }"#,
            ),
            ("a: 1\n---\nb: {", "{ a = 1 }"),
            ("\u{feff}a: 1", "{ a = 1 }"),
        ];
        for (text, expected) in table {
            let shown = parse(text).map(|value| value.to_string());
            assert_eq!(shown.as_deref(), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn anchors_aliases_and_merges() {
        let table = [
            ("a: &x 1\nb: *x", "{ a = 1, b = 1 }"),
            ("- &x [1]\n- *x\n- *x", "[[1], [1], [1]]"),
            ("&k a: 1\nb: *k", r#"{ a = 1, b = "a" }"#),
            (
                "x: &x {k: v, l: w}\ny:\n  <<: *x\n  k: own",
                r#"{ x = { k = "v", l = "w" }, y = { k = "own", l = "w" } }"#,
            ),
            ("<<: [{a: 1}, {a: 2, b: 3}]", "{ a = 1, b = 3 }"),
            ("<<: {<<: {a: 1, b: 2}, b: 3}", "{ b = 3, a = 1 }"),
            ("a: <<", r#"{ a = "<<" }"#),
        ];
        for (text, expected) in table {
            let shown = parse(text).map(|value| value.to_string());
            assert_eq!(shown.as_deref(), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_yaml_is_refused_at_its_line() {
        let table = [
            ("a: 1\nb: *x", "line 2: "),
            ("a: 1\na: 2", "line 2: the key \"a\" is in line 1 already"),
            (
                "a: &x [*x]",
                "line 1: the alias is inside of its own anchor",
            ),
            ("a: &x\n  <<: *x", "merges a map into itself"),
            ("[a, b]: c", "line 1: a list or a map cannot be a key"),
            ("<<: 1", "needs a map"),
            ("a: !!int x", "line 1: \"x\" is no !!int"),
            ("a: {", "is not YAML"),
            ("a:\n\tb: 1", "is not YAML"),
        ];
        for (text, expected) in table {
            let error = parse(text).expect_err(text);
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }

    #[test]
    fn size_and_nesting_have_limits() {
        let mut bomb = "a0: &a0 x\n".to_owned();
        for level in 1..40 {
            let previous = format!("*a{}", level - 1);
            let list = vec![previous; 10].join(", ");
            bomb += &format!("a{level}: &a{level} [{list}]\n");
        }
        let error = parse(&bomb).expect_err("a bomb");
        assert!(error.contains("limit: YAML values, 1000000"), "{error}");

        let flow = "[".repeat(1000);
        let block = "- ".repeat(1000);
        let maps = "? ".repeat(1000);
        // Flat in the text, deep by its aliases.
        let mut stacked = "a0: &a0 x\n".to_owned();
        for level in 1..1000 {
            stacked += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
        }
        let mut merged = "a0: &a0 {x: y}\n".to_owned();
        for level in 1..1000 {
            merged += &format!("a{level}: &a{level} {{<<: *a{}}}\n", level - 1);
        }
        for text in [flow, block, maps, stacked, merged] {
            let error = parse(&text).expect_err("too deep");
            assert!(error.contains("limit: nesting, 128"), "{error}");
        }
    }
}
