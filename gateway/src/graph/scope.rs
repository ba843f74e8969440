//! The names that a block's expressions can see: the exports of the nodes that it refers to, and
//! the variables of its space.

use std::{collections::HashMap, sync::Arc};

use syntax::{Object, Scope, Value};

/// Exports by the dotted names of their nodes, before variables.
#[derive(Debug, Default)]
pub(super) struct NodeScope {
    exports: HashMap<Arc<str>, Value>,
    variables: Object,
}

impl NodeScope {
    /// A scope in which each of the given nodes can be named.
    pub(super) fn new(
        variables: &Object,
        exports: impl IntoIterator<Item = (Arc<str>, Value)>,
    ) -> Self {
        Self {
            exports: exports.into_iter().collect(),
            variables: variables.clone(),
        }
    }
}

impl Scope for NodeScope {
    fn lookup(&self, name: &str) -> Option<Value> {
        let exports = self.exports.get(name);
        exports.or_else(|| self.variables.get(name)).cloned()
    }

    fn resolve(&self, parts: &[&str]) -> Option<(Value, usize)> {
        let mut name = String::new();
        for (count, part) in parts.iter().enumerate() {
            if count > 0 {
                name.push('.');
            }
            name.push_str(part);
            if let Some(value) = self.exports.get(name.as_str()) {
                return Some((value.clone(), count + 1));
            }
        }
        let variable = self.variables.get(parts.first()?)?;
        Some((variable.clone(), 1))
    }

    fn names(&self) -> Vec<String> {
        let exports = self.exports.keys().map(|name| name.to_string());
        exports
            .chain(self.variables.keys().map(str::to_owned))
            .collect()
    }
}
