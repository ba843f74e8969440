//! Hands Corten's own telemetry to the pipelines that are to have it.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    batch::{Batch, Context, Payload},
    delivery::Intake,
    graph::{Fanout, Site},
    telemetry::quietly,
};

/// Pause before a batch that nobody could take is offered again. What comes meanwhile waits in its
/// bounded buffer.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The way from Corten's own telemetry to its receivers.
#[derive(Debug)]
pub(super) struct Own {
    id: Arc<str>,
    intake: Intake,
    to: Fanout,
}

impl Own {
    /// The way from the block that stands here.
    pub(super) fn new(site: &Site, to: Fanout) -> Self {
        Self {
            id: site.id().clone(),
            intake: Intake::new(site),
            to,
        }
    }

    /// Whether it leads nowhere.
    pub(super) fn is_empty(&self) -> bool {
        self.to.is_empty()
    }

    /// Hands a payload on, again and again until it is taken; false if it can never be, or the
    /// block stops first.
    pub(super) async fn hand_on(&self, payload: Payload, stop: &CancellationToken) -> bool {
        let context = Context {
            own: true,
            ..Context::default()
        };
        let batch = Batch { context, payload };
        loop {
            let refusal = match quietly(self.intake.submit(&self.to, batch.clone())).await {
                Ok(_) => return true,
                Err(refusal) => refusal,
            };
            if !refusal.is_retryable() {
                let report = async { tracing::warn!(block = &*self.id, "not taken: {refusal}") };
                quietly(report).await;
                return false;
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY_AFTER) => {}
                () = stop.cancelled() => return false,
            }
        }
    }
}
