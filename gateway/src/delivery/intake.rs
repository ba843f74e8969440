//! The head of every pipeline: a source hands a batch in and hears when it is safe.

use std::{sync::Arc, time::Duration};

use tracing::{Instrument, Span, debug_span};

use crate::{
    batch::{Batch, Consumer, Refusal, RefusalKind, Staged},
    graph::Site,
    ledger::Outcome,
    services::Services,
};

/// How often a client that waits for room in a queue looks again.
const FULL_QUEUE_POLL: Duration = Duration::from_millis(50);

/// How long a client may wait for room in a queue before it is told to come back after all: below
/// the time-out that SDKs use by default (10 s), so that it is answered.
const FULL_QUEUE_WAIT_MAX: Duration = Duration::from_secs(8);

/// What became of a batch that was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Items in it that were refused for good.
    pub rejected: u64,
    /// Why.
    pub message: Option<String>,
}

/// A source's way into the pipeline.
#[derive(Clone, Debug)]
pub struct Intake {
    component: Arc<str>,
    services: Services,
}

impl Intake {
    /// The intake of the component that stands here.
    pub fn new(site: &Site) -> Self {
        Self {
            component: site.id().clone(),
            services: site.services().clone(),
        }
    }

    /// Takes a batch through the pipeline and returns when every destination's queue holds it
    /// behind a synced commit.
    ///
    /// # Errors
    /// If it was not taken; nothing of it is kept then.
    pub async fn submit(&self, to: &dyn Consumer, batch: Batch) -> Result<Accepted, Refusal> {
        let span = match batch.context.own {
            true => Span::none(),
            false => debug_span!(
                "submit",
                otel.name = %self.component,
                component_id = %self.component,
                signal = %batch.signal(),
                items = batch.items(),
            ),
        };
        self.take(to, batch).instrument(span).await
    }

    async fn take(&self, to: &dyn Consumer, batch: Batch) -> Result<Accepted, Refusal> {
        let (signal, items) = (batch.signal(), batch.items());
        let tenant = batch.context.tenant.clone();
        let ledger = self.services.ledger();
        // Held until the answer: what is in flight stays inside the memory budget.
        let _reservation = batch.context.reservation.clone();
        let result = match to.consume(batch).await {
            Ok(staged) => {
                let accepted = items.saturating_sub(staged.rejected);
                let tally = ledger.tally(&self.component, signal, &tenant, Outcome::Accepted);
                self.commit(staged, tally.map(|tally| (tally, accepted)))
                    .await
            }
            Err(refusal) => Err(refusal),
        };
        let refused = |reason, items| self.refused(signal, &tenant, reason, items);
        match &result {
            Ok(accepted) => refused("rejected", accepted.rejected),
            Err(refusal) => refused(refusal.reason, items),
        }
        result
    }

    /// Counts items that were refused before there was a batch.
    pub fn refused(
        &self,
        signal: protos::Signal,
        tenant: &crate::batch::Tenant,
        reason: &'static str,
        items: u64,
    ) {
        let outcome = Outcome::Refused(reason);
        self.services
            .ledger()
            .count(&self.component, signal, tenant, outcome, items);
    }

    /// Writes what was staged, and the count of it, in one commit.
    async fn commit(
        &self,
        staged: Staged,
        count: Option<(wal::Tally, u64)>,
    ) -> Result<Accepted, Refusal> {
        let accepted = Accepted {
            rejected: staged.rejected,
            message: staged.rejection,
        };
        if staged.appends.is_empty() {
            if let Some((tally, items)) = count {
                tally.add(items);
            }
            return Ok(accepted);
        }
        let log = self.services.log();
        let (appends, counts) = (combine(staged.appends), Vec::from_iter(count));
        if !staged.waits_for_room {
            let committed = log.commit_counting(appends, counts).await;
            return committed.map(|()| accepted).map_err(refusal);
        }
        let deadline = tokio::time::Instant::now() + FULL_QUEUE_WAIT_MAX;
        loop {
            match log.commit_counting(appends.clone(), counts.clone()).await {
                Err(wal::CommitError::QueueFull { .. })
                    if tokio::time::Instant::now() < deadline =>
                {
                    tokio::time::sleep(FULL_QUEUE_POLL).await;
                }
                result => return result.map(|()| accepted).map_err(refusal),
            }
        }
    }
}

/// Appends in which a record that goes to several queues stands once: a fan-out shares its bytes.
fn combine(staged: Vec<(wal::Queue, wal::Record)>) -> Vec<wal::Append> {
    let mut combined: Vec<(Vec<wal::Queue>, wal::Record)> = Vec::with_capacity(staged.len());
    for (queue, record) in staged {
        let same = |(_, other): &&mut (Vec<wal::Queue>, wal::Record)| {
            other.payload.as_ptr() == record.payload.as_ptr()
                && other.payload.len() == record.payload.len()
                && other.attributes == record.attributes
        };
        match combined.iter_mut().find(same) {
            Some((queues, _)) => queues.push(queue),
            None => combined.push((vec![queue], record)),
        }
    }
    let append = |(queues, record): (Vec<wal::Queue>, _)| wal::Append {
        queues: queues.into(),
        record,
    };
    combined.into_iter().map(append).collect()
}

/// The log's refusal as the client should hear it.
fn refusal(error: wal::CommitError) -> Refusal {
    let message = error.to_string();
    match error {
        wal::CommitError::TooLarge { .. } => Refusal {
            kind: RefusalKind::TooLarge,
            reason: "too_large",
            message: message.into(),
        },
        wal::CommitError::QueueFull { .. } => Refusal::unavailable("queue_full", message),
        wal::CommitError::LogFull => Refusal::unavailable("log_full", message),
        wal::CommitError::DiskFull => Refusal::unavailable("disk_full", message),
        wal::CommitError::Unavailable(_) | wal::CommitError::QueueRemoved { .. } => {
            Refusal::unavailable("log_unavailable", message)
        }
    }
}
