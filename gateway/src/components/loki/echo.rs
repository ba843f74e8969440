//! Writes the lines that arrive to Corten's own log, for a person to read.

use std::sync::Arc;

use super::{
    LogsReceiver, ReceiverExports,
    receiver::{metadata, time},
};
use crate::{
    batch::{Batch, ConsumeFuture, Consumer, Refusal, Staged},
    graph::{self, Site},
    ledger::Outcome,
    telemetry::SHOWN,
};

/// It takes none.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct Arguments {}

/// A writer of what arrives.
#[derive(Debug)]
pub struct Component {
    site: Site,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = ReceiverExports;

    fn build(_: Arguments, site: Site) -> Result<Self, String> {
        Ok(Self { site })
    }

    fn exports(&self) -> ReceiverExports {
        ReceiverExports {
            receiver: LogsReceiver(self.site.input()),
        }
    }

    fn consumer(self: &Arc<Self>) -> Option<Arc<dyn Consumer>> {
        Some(self.clone())
    }
}

impl Component {
    fn show(&self, batch: &Batch) -> Result<Staged, Refusal> {
        let loki = batch.payload.loki()?;
        for stream in loki.streams() {
            for entry in &stream.entries {
                tracing::info!(
                    target: SHOWN,
                    component_id = %self.site.id(),
                    entry = entry.line,
                    entry_timestamp = time(entry.timestamp_nanoseconds),
                    labels = %stream.labels,
                    structured_metadata = metadata(&entry.metadata),
                    "received log entry"
                );
            }
        }
        let (ledger, tenant) = (self.site.services().ledger(), &batch.context.tenant);
        for outcome in [Outcome::Accepted, Outcome::Delivered] {
            ledger.count(
                self.site.id(),
                batch.signal(),
                tenant,
                outcome,
                loki.entries(),
            );
        }
        Ok(Staged::nothing())
    }
}

impl Consumer for Component {
    fn consume(&self, batch: Batch) -> ConsumeFuture<'_> {
        Box::pin(async move { self.show(&batch) })
    }
}
