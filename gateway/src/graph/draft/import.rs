//! Imports: the content of a module, and the custom components in it.
//!
//! What has to be fetched is only noted here: fetching takes time, and the graph in the making is
//! a picture of one moment. It is made again when all that was noted is there.

use std::{collections::HashMap, sync::Arc};

use syntax::{Diagnostic, Diagnostics, Object, Severity, Value};

use super::{DEPTH_MAX, Draft, Live, MODULE_PATH, Prepared};
use crate::graph::{
    Definition,
    definition::{Arguments, Instance},
    import::{Functions, Module, Opened},
    module::{Catalogue, Space, SpaceKind, blocks},
    node::{Node, Place, Work},
    plan::PlannedNode,
};

/// Modules that import each other. Nobody follows more than a few, and one that imports itself is
/// noticed here.
const IMPORT_DEPTH_MAX: usize = 16;

/// Files of all modules of a configuration. Who has more has imported the wrong folder.
const FILES_MAX: usize = 256;

/// An import that has to fetch its module before the graph can be made.
pub(in crate::graph) struct Wanted {
    pub(in crate::graph) id: Arc<str>,
    pub(in crate::graph) open: Opened,
    place: Place,
    number: u64,
    arguments: Box<dyn Arguments>,
}

/// What came of it.
pub(in crate::graph) struct Fetched {
    place: Place,
    number: u64,
    arguments: Box<dyn Arguments>,
    result: Result<Arc<dyn Instance>, String>,
}

impl Wanted {
    /// Fetches the module.
    pub(in crate::graph) async fn fetch(self) -> (Arc<str>, Fetched) {
        let fetched = Fetched {
            result: self.open.await,
            place: self.place,
            number: self.number,
            arguments: self.arguments,
        };
        (self.id, fetched)
    }
}

impl Draft<'_> {
    /// Evaluates an import and goes through its module, if there is one.
    pub(super) fn import(
        &mut self,
        node: PlannedNode,
        definition: &'static Definition,
        space: &Space<'_>,
        catalogue: &mut Catalogue<'_>,
    ) {
        let Some(functions) = definition.import else {
            return;
        };
        let scope = self.scope(&node);
        let library = &self.rules.library;
        let evaluated = node.evaluate(definition, &scope, library, &mut self.diagnostics);
        if self.live.is_none() && node.lacks_files(&evaluated.files, &mut self.diagnostics) {
            return;
        }
        let Some(arguments) = evaluated.arguments else {
            return;
        };
        if space.imports >= IMPORT_DEPTH_MAX || space.depth >= DEPTH_MAX {
            return self.diagnostics.push(node.error(format!(
                "more than {IMPORT_DEPTH_MAX} modules import each other; does one import itself?"
            )));
        }
        let known = node.clone();
        let module = match self.live {
            Some(live) => self.content(live, node, functions, arguments),
            None => match (functions.read)(&*arguments, &known.id) {
                Some(Ok(module)) => Some(module),
                Some(Err(reason)) => {
                    self.unreadable(&known, &reason);
                    None
                }
                None => None,
            },
        };
        if let Some(module) = module
            && let Some(inside) = self.module(&known, &module, space)
        {
            let inside = Arc::new(inside);
            catalogue.import(known.label(), inside.clone());
            if self.live.is_none() {
                self.modules.push((known.id, inside));
            }
        }
    }

    /// The module of an import: of the one that runs, if its arguments are the same, or of one
    /// that has just fetched it.
    fn content(
        &mut self,
        live: Live<'_>,
        node: PlannedNode,
        functions: Functions,
        arguments: Box<dyn Arguments>,
    ) -> Option<Module> {
        let present = live.running.get(&node.id);
        if let Some(present) = present.filter(|present| present.would_be(&node, &*arguments)) {
            let waiting = live.waiting.filter(|id| **id == node.id);
            let content = waiting.and(present.candidate.clone());
            let module = Module::of(content.as_ref().unwrap_or(&present.exports));
            self.prepared.push(Prepared::Kept(node, content));
            return module;
        }
        if let Some(fetched) = live.fetched.get(&node.id)
            && fetched.arguments.equals(&*arguments)
        {
            return self.opened(node, fetched, arguments);
        }
        let place = present.and_then(|present| Place::of(present, &node));
        let place = place.unwrap_or_else(|| Place::new(&node, live.services));
        let site = place.site(&node, live.services, live.publisher);
        self.wanted.push(Wanted {
            id: node.id,
            number: site.publisher.instance(),
            open: (functions.open)(&*arguments, site),
            place,
            arguments,
        });
        None
    }

    fn opened(
        &mut self,
        node: PlannedNode,
        fetched: &Fetched,
        arguments: Box<dyn Arguments>,
    ) -> Option<Module> {
        let instance = match &fetched.result {
            Ok(instance) => instance.clone(),
            Err(reason) => {
                self.unreadable(&node, reason);
                return None;
            }
        };
        let exports = instance.exports();
        let module = Module::of(&exports);
        let work = Work {
            arguments,
            instance,
            number: fetched.number,
            port: fetched.place.port.clone(),
            task: None,
        };
        let node = Node::working(node, work, exports, fetched.place.health.clone());
        self.prepared.push(Prepared::New(Box::new(node)));
        module
    }

    fn unreadable(&mut self, node: &PlannedNode, reason: &str) {
        let message = format!("failed to import {}: {reason}", node.block.id());
        self.diagnostics.push(node.error(message));
    }

    /// Goes through a module: what it declares can be used where it is imported.
    fn module(
        &mut self,
        node: &PlannedNode,
        module: &Module,
        space: &Space<'_>,
    ) -> Option<Catalogue<'static>> {
        self.files += module.files.len();
        if self.files > FILES_MAX {
            let message = format!("more than {FILES_MAX} files are imported");
            self.diagnostics.push(node.error(message));
            return None;
        }
        let before = std::mem::take(&mut self.diagnostics);
        let mut located = Vec::new();
        for source in &module.files {
            let (file, errors) = syntax::parse(source);
            self.diagnostics.extend(errors);
            located.extend(blocks(source, file.body, &mut self.diagnostics));
        }
        let inherited = || space.variables.get(MODULE_PATH).cloned();
        let path = module.path.as_deref().map(Value::from).or_else(inherited);
        let variables = path.map(|path| (MODULE_PATH.to_owned(), path));
        let inside = Space {
            id: node.id.clone(),
            kind: SpaceKind::Imported {
                remote: module.remote,
            },
            variables: variables.into_iter().collect::<Object>(),
            outer: None,
            catalogue: None,
            given: None,
            values: None,
            measured: space.measured,
            depth: space.depth + 1,
            imports: space.imports + 1,
        };
        let catalogue = self.space(&inside, &located);
        let found = std::mem::replace(&mut self.diagnostics, before);
        if module.secret {
            self.diagnostics.extend(hidden(node, &found));
        } else {
            self.diagnostics.extend(found);
        }
        Some(catalogue)
    }

    /// Checks the custom components of imported modules of which there are no instances. What is
    /// wrong with them is no error: nothing is made of them.
    pub(super) fn check_modules(&mut self) {
        let errors = std::mem::take(&mut self.diagnostics);
        let mut at = 0;
        // More modules may be imported in what is checked.
        while let Some((id, module)) = self.modules.get(at).cloned() {
            self.check_unused(&id, &module, 0);
            at += 1;
        }
        let warnings = std::mem::replace(&mut self.diagnostics, errors);
        self.diagnostics.extend(warnings.into_iter().map(|found| {
            let note = "note: nothing uses this custom component of the module";
            Diagnostic {
                severity: Severity::Warning,
                ..found.with_note(note)
            }
        }));
    }
}

/// How many mistakes a module has, without a word of it.
fn hidden(node: &PlannedNode, found: &Diagnostics) -> Option<Diagnostic> {
    let first = found.iter().next()?;
    let at = first.file.position(first.span.start);
    let (count, line) = (found.len(), at.line);
    let message = format!(
        "the module, which is a secret and not shown, has {count} mistakes, the first in line {line}"
    );
    Some(node.error(message))
}

/// What was fetched, by the ids of the imports.
pub(in crate::graph) type FetchedById = HashMap<Arc<str>, Fetched>;
