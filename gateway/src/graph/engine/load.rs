//! Puts a configuration in the place of the one that runs, or leaves that as it is.

use std::sync::Arc;

use syntax::{Diagnostic, Diagnostics, SourceFile, Span};

use super::{Engine, NodeKind, Nodes, State};
use crate::graph::{
    Health, HealthReport,
    draft::{Draft, FetchedById, Live, Prepared, Ready, Wanted},
    node::Node,
};

/// How often a graph is made anew because something had to be fetched for it: once for each
/// module in a module, and some more where what they fetch depends on values that change.
const PASSES_MAX: usize = 32;

/// What a load changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Components that were not there before.
    pub started: Vec<Arc<str>>,
    /// Components whose arguments changed.
    pub replaced: Vec<Arc<str>>,
    /// Components that are gone.
    pub stopped: Vec<Arc<str>>,
    /// How many were not touched.
    pub kept: usize,
}

impl Engine {
    /// Runs this configuration in place of the present one. Components whose arguments are the
    /// same are not touched.
    ///
    /// # Errors
    /// All that is wrong with it; nothing has changed then.
    pub async fn load(&self, files: &[SourceFile]) -> Result<Reloaded, Diagnostics> {
        let _changing = self.changing.lock().await;
        let reloaded = self.change(Some(files.into()), None).await?;
        // What nothing could be made of may fit now.
        self.changed.notify_one();
        Ok(reloaded)
    }

    /// Runs these files, or the present ones again with what waits at the node of this id. The
    /// caller sees to it that nobody else changes the graph.
    pub(super) async fn change(
        &self,
        files: Option<Arc<[SourceFile]>>,
        waiting: Option<&Arc<str>>,
    ) -> Result<Reloaded, Diagnostics> {
        let (mut fetched, mut ready) = (FetchedById::new(), Ready::new());
        for _ in 0..PASSES_MAX {
            let mut state = self.state.lock().await;
            if waiting.is_some_and(|id| !state.nodes.get(id).is_some_and(Node::waits)) {
                // The graph was stopped meanwhile, or what waited has changed back.
                return Ok(Reloaded::default());
            }
            let files = files.clone().unwrap_or_else(|| state.files.clone());
            let (prepared, wanted) = self.draft(&state, &files, &fetched, ready, waiting)?;
            if wanted.is_empty() {
                state.files = files;
                return Ok(self.swap(&mut state, prepared));
            }
            drop(state);
            let new = prepared.into_iter().filter_map(Prepared::into_new);
            ready = new.map(|node| (node.planned.id.clone(), node)).collect();
            let wanted = wanted.into_iter().map(Wanted::fetch);
            fetched.extend(futures::future::join_all(wanted).await);
        }
        Err(self.restless(files))
    }

    /// Builds the graph beside the running one, as far as all that it needs has been fetched.
    fn draft(
        &self,
        state: &State,
        files: &[SourceFile],
        fetched: &FetchedById,
        ready: Ready,
        waiting: Option<&Arc<str>>,
    ) -> Result<(Vec<Prepared>, Vec<Wanted>), Diagnostics> {
        let live = Live {
            running: &state.nodes,
            services: &self.services,
            publisher: &self.publisher,
            meters: &self.meters,
            fetched,
            waiting,
        };
        // All of it is gone through even if there are errors, so that all of them are found at once.
        let _evaluating = self.meters.evaluating();
        let mut draft = Draft::new(&self.rules, Some(live));
        draft.ready = ready;
        draft.root(&self.prefix, files);
        if draft.wanted.is_empty() && draft.diagnostics.has_errors() {
            return Err(draft.diagnostics);
        }
        Ok((draft.prepared, draft.wanted))
    }

    /// The error for modules that would not stand still.
    fn restless(&self, files: Option<Arc<[SourceFile]>>) -> Diagnostics {
        let file = files.and_then(|files| files.first().cloned());
        let file = file.unwrap_or_else(|| SourceFile::new("configuration", ""));
        let message = "what imports fetch depends on values that change all the time; nothing was \
                       changed, try again";
        Diagnostic::error(&file, Span::default(), message).into()
    }

    /// Puts the new graph in the place of the old one. Cannot fail.
    fn swap(&self, state: &mut State, prepared: Vec<Prepared>) -> Reloaded {
        let mut old = std::mem::take(&mut state.nodes);
        let mut reloaded = Reloaded::default();
        state.nodes.reserve(prepared.len());
        for prepared in prepared {
            let node = match prepared {
                Prepared::Kept(planned, content) => {
                    let Some(mut node) = old.swap_remove(&planned.id) else {
                        continue;
                    };
                    node.planned = planned;
                    node.stale = false;
                    if let Some(content) = content {
                        (node.exports, node.candidate) = (content, None);
                        let health = Health::healthy("module updated");
                        node.health.evaluated(health);
                    }
                    reloaded.kept += 1;
                    node
                }
                Prepared::New(mut node) => {
                    let id = node.planned.id.clone();
                    let predecessor = old.swap_remove(&id);
                    match predecessor {
                        Some(_) => reloaded.replaced.push(id),
                        None => reloaded.started.push(id),
                    }
                    let predecessor = predecessor.and_then(|mut old| old.take_task());
                    node.start(predecessor, self.stop_deadline);
                    *node
                }
                Prepared::Value(planned, exports) => {
                    // A component may have had the name before.
                    let present = old.swap_remove(&planned.id);
                    let health = present.as_ref().map(|node| node.health.clone());
                    if let Some(present) = present.filter(|node| node.work.is_some()) {
                        reloaded.stopped.push(planned.id.clone());
                        self.leaving.spawn(present.stop(self.stop_deadline));
                    }
                    let health = health.unwrap_or_else(HealthReport::new);
                    Node::value(planned, exports, health)
                }
            };
            state.nodes.insert(node.planned.id.clone(), node);
        }
        for (id, node) in old {
            if node.work.is_some() {
                reloaded.stopped.push(id);
                self.leaving.spawn(node.stop(self.stop_deadline));
            }
        }
        self.meters.running(healths(&state.nodes));
        reloaded
    }
}

/// How the components are; configuration blocks, arguments and exports are none.
fn healths(nodes: &Nodes) -> Vec<HealthReport> {
    let components = nodes.values().filter(|node| {
        let kind = super::view::kind(node);
        kind.is_some_and(|kind| kind != NodeKind::Block)
    });
    components.map(|node| node.health.clone()).collect()
}
