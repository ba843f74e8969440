//! Tells the exporters that it feeds how large their requests should be and how long to wait for it.
//!
//! Nothing is held here: a batch goes through at once, marked with what is asked for, and is merged
//! with its neighbours on the reading side of the log. So unlike the Collector's, this processor
//! loses nothing when the process ends, and an answer still means that the data is on disk.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::super::{ConsumerHandle, DebugMetrics, Output, output::Outputs};
use crate::{
    batch::{Batch, ConsumeFuture, Consumer, Merging, Metadata, Refusal, RefusalKind},
    graph::{self, Site},
};

/// Sizes and waiting time.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Arguments {
    /// Combinations of the values of `metadata_keys` that are let in; further ones are refused.
    #[attr(default = 1000)]
    metadata_cardinality_limit: u32,
    /// Metadata that is kept apart: batches are merged only where these headers have the same
    /// values, and only these stay with them. When empty, no metadata goes further than here, but
    /// batches of two tenants are never merged.
    #[attr(default)]
    metadata_keys: Vec<String>,
    /// Items that a request must not exceed; zero is no bound.
    #[attr(default = 3000)]
    send_batch_max_size: u32,
    /// Items at which a request is sent without waiting longer.
    #[attr(default = 2000)]
    send_batch_size: u32,
    /// How long the first batch of a request may wait for others.
    #[attr(default = "200ms")]
    timeout: Duration,
    /// Where the batches go.
    #[block]
    output: Output,
    /// Metrics of the component.
    #[block]
    debug_metrics: Option<DebugMetrics>,
}

impl Arguments {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if self.send_batch_max_size > 0 && self.send_batch_max_size < self.send_batch_size {
            let reason = format!(
                "must not be below send_batch_size = {}",
                self.send_batch_size
            );
            return Err(("send_batch_max_size", reason));
        }
        let mut seen = HashSet::new();
        match self
            .metadata_keys
            .iter()
            .find(|key| !seen.insert(key.to_ascii_lowercase()))
        {
            Some(twice) => Err(("metadata_keys", format!("has {twice:?} twice"))),
            None => Ok(()),
        }
    }
}

/// What can be referred to.
#[derive(syntax::Exports, Clone, Debug)]
pub struct Exports {
    /// Takes batches.
    #[attr]
    input: ConsumerHandle,
}

/// Marks batches and hands them on.
#[derive(Debug)]
pub struct Component {
    site: Site,
    merging: Merging,
    metadata_keys: Vec<String>,
    combinations: Combinations,
    outputs: Outputs,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = Exports;

    fn build(arguments: Arguments, site: Site) -> Result<Self, String> {
        let merging = Merging {
            items: arguments.send_batch_size.into(),
            items_max: arguments.send_batch_max_size.into(),
            wait_milliseconds: u64::try_from(arguments.timeout.as_millis()).unwrap_or(u64::MAX),
        };
        let outputs = arguments.output.outputs(&site);
        Ok(Self {
            site,
            merging,
            combinations: Combinations::new(arguments.metadata_cardinality_limit),
            metadata_keys: arguments.metadata_keys,
            outputs,
        })
    }

    fn exports(&self) -> Exports {
        Exports {
            input: ConsumerHandle(self.site.input()),
        }
    }

    fn consumer(self: &Arc<Self>) -> Option<Arc<dyn Consumer>> {
        Some(self.clone())
    }
}

impl Consumer for Component {
    fn consume(&self, mut batch: Batch) -> ConsumeFuture<'_> {
        let kept = batch.context.metadata.only(&self.metadata_keys);
        if let Err(refusal) = self.combinations.admit(&kept) {
            return Box::pin(async { Err(refusal) });
        }
        batch.context.metadata = kept;
        batch.context.merging = Some(self.merging);
        self.outputs.consume(batch)
    }
}

/// The combinations of metadata that were seen. They are remembered for the life of the component,
/// so that a client that invents new ones runs into the limit and not the node out of memory.
#[derive(Debug)]
struct Combinations {
    limit: usize,
    seen: Mutex<HashSet<Metadata>>,
}

impl Combinations {
    fn new(limit: u32) -> Self {
        Self {
            limit: limit as usize,
            seen: Mutex::default(),
        }
    }

    fn admit(&self, metadata: &Metadata) -> Result<(), Refusal> {
        if metadata.is_empty() {
            return Ok(());
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(metadata) {
            return Ok(());
        }
        // As in the Collector, zero is no limit.
        if self.limit > 0 && seen.len() >= self.limit {
            return Err(Refusal {
                kind: RefusalKind::Invalid,
                reason: "metadata_cardinality",
                message: format!(
                    "more than {} combinations of metadata, see metadata_cardinality_limit",
                    self.limit
                )
                .into(),
            });
        }
        seen.insert(metadata.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(value: &str) -> Metadata {
        Metadata::new([("tenant".to_owned(), value.to_owned())])
    }

    #[test]
    fn combinations_are_bounded() {
        let combinations = Combinations::new(2);
        for value in ["a", "b", "a"] {
            assert_eq!(combinations.admit(&metadata(value)), Ok(()));
        }
        let refusal = combinations.admit(&metadata("c")).unwrap_err();
        assert_eq!(
            (refusal.kind, refusal.is_retryable()),
            (RefusalKind::Invalid, false)
        );
        assert_eq!(combinations.admit(&Metadata::default()), Ok(()));
        let unbounded = Combinations::new(0);
        assert!((0..100).all(|n| unbounded.admit(&metadata(&n.to_string())).is_ok()));
    }

    #[test]
    fn sizes_and_keys_must_fit_together() {
        let good = Arguments {
            metadata_cardinality_limit: 1000,
            metadata_keys: vec!["a".to_owned(), "b".to_owned()],
            send_batch_max_size: 0,
            send_batch_size: 10,
            timeout: Duration::from_millis(200),
            output: Output::default(),
            debug_metrics: None,
        };
        assert_eq!(good.check(), Ok(()));
        let small = Arguments {
            send_batch_max_size: 9,
            ..good.clone()
        };
        assert_eq!(small.check().unwrap_err().0, "send_batch_max_size");
        let twice = vec!["a".to_owned(), "A".to_owned()];
        let twice = Arguments {
            metadata_keys: twice,
            ..good
        };
        assert_eq!(twice.check().unwrap_err().0, "metadata_keys");
    }
}
