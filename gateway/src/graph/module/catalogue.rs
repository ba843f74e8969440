//! The custom components that can be used in a space: its own, those of its imports, and what the
//! spaces around it have. What stands in an imported module sees nothing of who imports it.

use std::{collections::HashMap, sync::Arc};

use syntax::{Object, ast::BlockName};

use super::{Declare, Space};

/// Custom components by name.
#[derive(Debug)]
pub(in crate::graph) struct Catalogue<'a> {
    outer: Option<&'a Self>,
    declares: HashMap<String, Arc<Declare>>,
    /// By namespace; none while nothing is known of what is imported.
    imports: HashMap<String, Option<Arc<Catalogue<'static>>>>,
    /// What instances of its components can name besides nodes.
    variables: Object,
    /// In how many imported modules it is.
    depth: usize,
}

/// What a block's name means.
pub(in crate::graph) enum Found<'a> {
    /// This custom component, and the catalogue that it can use.
    Declare(&'a Arc<Declare>, &'a Catalogue<'a>),
    /// A component of a module that could not be read, or is not read when only checking.
    Unread,
    /// Nothing; these are the names of the module or the space.
    Missing(Vec<String>),
}

impl<'a> Catalogue<'a> {
    /// The catalogue of a space with custom components of its own.
    pub(in crate::graph) fn new(
        space: &Space<'a>,
        declares: HashMap<String, Arc<Declare>>,
        namespaces: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            outer: space.catalogue,
            declares,
            imports: namespaces.into_iter().map(|name| (name, None)).collect(),
            variables: space.variables.clone(),
            depth: space.imports,
        }
    }

    /// Adds what was imported.
    pub(in crate::graph) fn import(&mut self, namespace: &str, module: Arc<Catalogue<'static>>) {
        self.imports.insert(namespace.to_owned(), Some(module));
    }

    /// What instances of its components can name besides nodes.
    pub(in crate::graph) fn variables(&self) -> &Object {
        &self.variables
    }

    /// In how many imported modules it is.
    pub(in crate::graph) fn depth(&self) -> usize {
        self.depth
    }

    /// Its own custom components.
    pub(in crate::graph) fn declares(&self) -> impl Iterator<Item = &Arc<Declare>> {
        self.declares.values()
    }

    /// Whether blocks whose names begin so are custom components: such a name hides all others.
    pub(in crate::graph) fn has(&self, first: &str) -> bool {
        self.declares.contains_key(first)
            || self.imports.contains_key(first)
            || self.outer.is_some_and(|outer| outer.has(first))
    }

    /// Finds the custom component of this name.
    pub(in crate::graph) fn find(&self, name: &BlockName) -> Found<'_> {
        let (namespace, component) = match name.parts.split_first() {
            Some((namespace, rest)) if !rest.is_empty() => {
                let rest: Vec<&str> = rest.iter().map(|part| part.text.as_str()).collect();
                (namespace.text.as_str(), rest.join("."))
            }
            _ => ("", name.dotted()),
        };
        let (mut at, mut seen) = (Some(self), Vec::new());
        while let Some(catalogue) = at {
            let home = match namespace {
                "" => Some(catalogue),
                namespace => match catalogue.imports.get(namespace) {
                    Some(Some(module)) => Some(&**module),
                    Some(None) => return Found::Unread,
                    None => None,
                },
            };
            if let Some(home) = home {
                if let Some(declare) = home.declares.get(&component) {
                    return Found::Declare(declare, home);
                }
                seen.extend(home.declares.keys().cloned());
            }
            at = catalogue.outer;
        }
        seen.sort();
        Found::Missing(seen)
    }
}
