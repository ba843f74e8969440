//! What became of every item: accepted = delivered + queued + dropped, for each signal, tenant and
//! destination.
//!
//! A destination's own account is kept by the log, in the same commits as the data, so it survives
//! the process. What is counted here besides is what never reaches the log: what sources took and
//! refused, and what went to a destination without a queue.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};
use protos::Signal;

use crate::{
    batch::{QueueKey, Tenant},
    telemetry::Metrics,
};

/// Tenants that get a name of their own in metrics; the others are counted together, because
/// tenants are named by clients.
const TENANTS_MAX: usize = 1000;

/// The name under which further tenants are counted.
const OTHER: &str = "(other)";

type Row = (Labels, u64);

/// What became of items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Taken, and owed from then on.
    Accepted,
    /// Not taken, for this reason.
    Refused(&'static str),
    /// The backend has it.
    Delivered,
    /// Given up, for this reason.
    Dropped(&'static str),
}

impl Outcome {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Accepted => ("accepted", ""),
            Self::Refused(reason) => ("refused", reason),
            Self::Delivered => ("delivered", ""),
            Self::Dropped(reason) => ("dropped", reason),
        }
    }
}

/// The counters of the process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    counts: RwLock<HashMap<Key, AtomicU64>>,
    tenants: RwLock<HashMap<Tenant, ()>>,
    log: OnceLock<wal::Log>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    component: Arc<str>,
    signal: Signal,
    tenant: Tenant,
    outcome: Outcome,
}

#[derive(Clone, Debug, EncodeLabelSet)]
struct Labels {
    component: String,
    signal: &'static str,
    tenant: String,
    outcome: &'static str,
    reason: String,
}

#[derive(Clone, Debug, EncodeLabelSet)]
struct QueueLabels {
    component: String,
    signal: &'static str,
    tenant: String,
}

impl Ledger {
    /// A ledger that shows its counts in these metrics.
    pub fn new(metrics: &Metrics) -> Self {
        let ledger = Self::default();
        metrics.collect(Box::new(ledger.clone()));
        ledger
    }

    /// Shows what this log keeps, too.
    pub fn follow(&self, log: wal::Log) {
        let _ = self.shared.log.set(log);
    }

    /// Counts items.
    pub fn count(
        &self,
        component: &Arc<str>,
        signal: Signal,
        tenant: &Tenant,
        outcome: Outcome,
        items: u64,
    ) {
        if items == 0 {
            return;
        }
        let tenant = self.named(tenant);
        let key = Key {
            component: component.clone(),
            signal,
            tenant,
            outcome,
        };
        {
            let counts = self
                .shared
                .counts
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = counts.get(&key) {
                count.fetch_add(items, Ordering::Relaxed);
                return;
            }
        }
        let mut counts = self
            .shared
            .counts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        counts
            .entry(key)
            .or_default()
            .fetch_add(items, Ordering::Relaxed);
    }

    /// The tenant as it is named in metrics.
    fn named(&self, tenant: &Tenant) -> Tenant {
        if tenant.as_str().is_empty() {
            return tenant.clone();
        }
        let tenants = &self.shared.tenants;
        if tenants
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(tenant)
        {
            return tenant.clone();
        }
        let mut tenants = tenants.write().unwrap_or_else(PoisonError::into_inner);
        if tenants.len() >= TENANTS_MAX {
            return Tenant::new(OTHER).unwrap_or_default();
        }
        tenants.insert(tenant.clone(), ());
        tenant.clone()
    }
}

impl Shared {
    /// All counts as rows of the metric.
    fn rows(&self, queues: &[(QueueLabels, wal::QueueStats)]) -> Vec<Row> {
        let counts = self.counts.read().unwrap_or_else(PoisonError::into_inner);
        let counted = counts.iter().map(|(key, count)| {
            let (outcome, reason) = key.outcome.words();
            let labels = Labels {
                component: key.component.to_string(),
                signal: key.signal.as_str(),
                tenant: key.tenant.to_string(),
                outcome,
                reason: reason.to_owned(),
            };
            (labels, count.load(Ordering::Relaxed))
        });
        let mut rows: Vec<Row> = counted.collect();
        for (labels, stats) in queues {
            let row = |outcome, reason: &str, items| {
                let QueueLabels {
                    component,
                    signal,
                    tenant,
                } = labels.clone();
                (
                    Labels {
                        component,
                        signal,
                        tenant,
                        outcome,
                        reason: reason.to_owned(),
                    },
                    items,
                )
            };
            rows.push(row("accepted", "", stats.accepted));
            rows.push(row("delivered", "", stats.delivered));
            let dropped = stats.dropped.iter();
            rows.extend(dropped.map(|(reason, items)| row("dropped", reason, *items)));
        }
        rows
    }

    /// The queues of the log whose owner can be told from their name.
    fn queues(&self) -> Vec<(QueueLabels, wal::QueueStats)> {
        let stats = self.log.get().map(wal::Log::queues).unwrap_or_default();
        let owned = stats.into_iter().filter_map(|stats| {
            let (component, key) = QueueKey::parse(&stats.name)?;
            let labels = QueueLabels {
                component: component.to_owned(),
                signal: key.signal.as_str(),
                tenant: key.tenant.to_string(),
            };
            Some((labels, stats))
        });
        owned.collect()
    }
}

impl Collector for Ledger {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let queues = self.shared.queues();
        let mut items = encoder.encode_descriptor(
            "corten_ledger_items",
            "Items by what became of them; for a destination, accepted = delivered + dropped + \
             corten_queue_items",
            None,
            MetricType::Counter,
        )?;
        for (labels, count) in self.shared.rows(&queues) {
            ConstCounter::new(count).encode(items.encode_family(&labels)?)?;
        }
        let mut gauge = |name, help, value: &dyn Fn(&wal::QueueStats) -> f64| {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (labels, stats) in &queues {
                ConstGauge::new(value(stats)).encode(family.encode_family(labels)?)?;
            }
            fmt::Result::Ok(())
        };
        gauge(
            "corten_queue_items",
            "Items owed to a destination",
            &|stats| stats.items as f64,
        )?;
        gauge(
            "corten_queue_bytes",
            "Bytes owed to a destination, as stored",
            &|stats| stats.bytes as f64,
        )?;
        gauge(
            "corten_queue_oldest_seconds",
            "Age of the oldest record owed to a destination; 0 if nothing is owed",
            &|stats| {
                stats.oldest.map_or(0.0, |oldest| {
                    oldest.elapsed().unwrap_or_default().as_secs_f64()
                })
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_beyond_the_bound_are_counted_together() {
        let (ledger, component) = (Ledger::default(), Arc::from("otelcol.receiver.otlp.x"));
        for number in 0..TENANTS_MAX + 5 {
            let tenant = Tenant::new(&format!("t{number}")).unwrap();
            ledger.count(&component, Signal::Logs, &tenant, Outcome::Accepted, 2);
        }
        let rows = ledger.shared.rows(&[]);
        assert_eq!(rows.len(), TENANTS_MAX + 1);
        let other = rows
            .iter()
            .find(|(labels, _)| labels.tenant == OTHER)
            .unwrap();
        assert_eq!(other.1, 10);
    }
}
