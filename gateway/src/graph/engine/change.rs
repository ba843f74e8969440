//! Changes of the graph that no load asks for: a list has other items, a module other content.
//!
//! The whole configuration is gone through again, as by a load, with what is new in the one place.
//! If that fails, nothing has changed but the health of the node that it is about, and it is tried
//! again whenever something else has changed, and from time to time.

use std::{sync::Arc, time::Duration};

use syntax::Diagnostics;

use super::Engine;
use crate::graph::{Health, node::Node};

/// How long a change that could not be made waits until it is tried again, if nothing else changes:
/// a server may be back that was away.
const RETRY: Duration = Duration::from_secs(60);

impl Engine {
    /// Makes the changes that wait, for as long as the engine lives.
    pub(super) async fn follow_changes(&self) {
        loop {
            let waits = self.state.lock().await.nodes.values().any(Node::waits);
            let again = async {
                match waits {
                    true => tokio::time::sleep(RETRY).await,
                    false => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.changed.notified() => {}
                () = again => {}
            }
            while self.change_one().await {}
        }
    }

    /// Tries to make each change that waits. True if one was made: another that waits may be
    /// possible now.
    async fn change_one(&self) -> bool {
        let _changing = self.changing.lock().await;
        let waiting: Vec<Arc<str>> = {
            let state = self.state.lock().await;
            let waiting = state.nodes.values().filter(|node| node.waits());
            waiting.map(|node| node.planned.id.clone()).collect()
        };
        for id in waiting {
            match self.change(None, Some(&id)).await {
                Ok(changed) => {
                    tracing::info!(
                        component = %id,
                        started = changed.started.len(),
                        replaced = changed.replaced.len(),
                        stopped = changed.stopped.len(),
                        kept = changed.kept,
                        "components updated: what they are made of has changed"
                    );
                    return true;
                }
                Err(diagnostics) => self.keep(&id, diagnostics).await,
            }
        }
        false
    }

    /// Says why what runs was not changed.
    async fn keep(&self, id: &Arc<str>, mut diagnostics: Diagnostics) {
        diagnostics.sort();
        let lines = diagnostics.iter().map(|diagnostic| {
            let at = diagnostic.file.position(diagnostic.span.start);
            let (file, message) = (diagnostic.file.name(), &diagnostic.message);
            format!("{file}:{}:{}: {message}", at.line, at.column)
        });
        let reasons = lines.collect::<Vec<_>>().join("; ");
        let message = format!("a change was not made, and what was there goes on: {reasons}");
        tracing::error!(component = %id, "{message}");
        if let Some(node) = self.state.lock().await.nodes.get(id) {
            node.health.evaluated(Health::unhealthy(message));
        }
    }
}
