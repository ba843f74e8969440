//! The names that a block's expressions can see: the exports of the nodes that it refers to.

use std::{collections::HashMap, sync::Arc};

use syntax::{Scope, Value};

/// Exports by the dotted names of their components.
#[derive(Debug, Default)]
pub(super) struct ExportScope {
    exports: HashMap<Arc<str>, Value>,
}

impl ExportScope {
    /// A scope in which each of the given components can be named.
    pub(super) fn new(exports: impl IntoIterator<Item = (Arc<str>, Value)>) -> Self {
        Self {
            exports: exports.into_iter().collect(),
        }
    }
}

impl Scope for ExportScope {
    fn lookup(&self, name: &str) -> Option<Value> {
        self.exports.get(name).cloned()
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
        None
    }

    fn names(&self) -> Vec<String> {
        self.exports.keys().map(|name| name.to_string()).collect()
    }
}
