//! What became of every item: accepted = delivered + queued + dropped + dead-lettered, for each
//! signal, tenant and destination.
//!
//! A destination's own account is kept by the log, in the same commits as the data. What is counted
//! here besides is what never reaches a queue: what sources took and refused, and what went to a
//! destination without a queue. It is kept by the log too, as tallies, so all of it survives the
//! process.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};
use protos::Signal;

use crate::{
    batch::{QueueKey, Tenant, dead_letters_of},
    telemetry::Metrics,
};

/// Tenants that get a name of their own in metrics; the others are counted together, because
/// tenants are named by clients.
const TENANTS_MAX: usize = 1000;

/// The name under which further tenants are counted.
const OTHER: &str = "(other)";

/// What the reason begins with under which a queue counts items that became dead letters.
pub const DEAD_LETTERED: &str = "dead_lettered:";

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
    /// The outcome and the reason, as the metric's labels have them.
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
    /// The log's counters, by what they count. Those of earlier lives are found through the log.
    tallies: RwLock<HashMap<Key, wal::Tally>>,
    tenants: RwLock<HashSet<Tenant>>,
    log: OnceLock<wal::Log>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    component: Arc<str>,
    signal: Signal,
    tenant: Tenant,
    outcome: Outcome,
}

impl Key {
    /// The name of the tally. Of its parts only the component's may have a slash.
    fn name(&self) -> String {
        let (outcome, reason) = self.outcome.words();
        let Self {
            component,
            signal,
            tenant,
            ..
        } = self;
        format!("{component}/{signal}/{tenant}/{outcome}/{reason}")
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct Labels {
    component: String,
    signal: &'static str,
    tenant: String,
    outcome: String,
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

    /// Keeps the counts in this log, and shows what it has kept.
    pub fn follow(&self, log: wal::Log) {
        let _ = self.shared.log.set(log);
    }

    /// Counts items at once. Without a log, as when a configuration is only checked, nothing is
    /// counted.
    pub fn count(
        &self,
        component: &Arc<str>,
        signal: Signal,
        tenant: &Tenant,
        outcome: Outcome,
        items: u64,
    ) {
        if let Some(tally) = self.tally(component, signal, tenant, outcome)
            && items > 0
        {
            tally.add(items);
        }
    }

    /// The counter of an outcome, to be counted with a commit.
    pub fn tally(
        &self,
        component: &Arc<str>,
        signal: Signal,
        tenant: &Tenant,
        outcome: Outcome,
    ) -> Option<wal::Tally> {
        let tenant = self.named(tenant);
        let key = Key {
            component: component.clone(),
            signal,
            tenant,
            outcome,
        };
        let tallies = &self.shared.tallies;
        if let Some(tally) = tallies
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
        {
            return Some(tally.clone());
        }
        let tally = self.shared.log.get()?.tally(&key.name()).ok()?;
        let mut tallies = tallies.write().unwrap_or_else(PoisonError::into_inner);
        Some(tallies.entry(key).or_insert(tally).clone())
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
            .contains(tenant)
        {
            return tenant.clone();
        }
        let mut tenants = tenants.write().unwrap_or_else(PoisonError::into_inner);
        if tenants.len() >= TENANTS_MAX {
            return Tenant::new(OTHER).unwrap_or_default();
        }
        tenants.insert(tenant.clone());
        tenant.clone()
    }
}

/// What a tally counts, by its name.
fn labels_of(name: &str) -> Option<Labels> {
    let mut parts = name.rsplitn(5, '/');
    let (reason, outcome, tenant) = (parts.next()?, parts.next()?, parts.next()?);
    let (signal, component) = (parts.next()?.parse::<Signal>().ok()?, parts.next()?);
    Some(Labels {
        component: component.to_owned(),
        signal: signal.as_str(),
        tenant: tenant.to_owned(),
        outcome: outcome.to_owned(),
        reason: reason.to_owned(),
    })
}

impl Shared {
    /// All counts as rows of the metric. A destination that had no queue and has one now has both
    /// kinds of count; they are one account.
    fn rows(&self, queues: &[(QueueLabels, wal::QueueStats)]) -> BTreeMap<Labels, u64> {
        let mut rows = BTreeMap::new();
        for tally in self.log.get().map(wal::Log::tallies).unwrap_or_default() {
            if let Some(labels) = labels_of(tally.name()) {
                *rows.entry(labels).or_default() += tally.get();
            }
        }
        for (labels, stats) in queues {
            let mut add = |outcome: &str, reason: &str, items| {
                let QueueLabels {
                    component,
                    signal,
                    tenant,
                } = labels.clone();
                let (outcome, reason) = (outcome.to_owned(), reason.to_owned());
                let labels = Labels {
                    component,
                    signal,
                    tenant,
                    outcome,
                    reason,
                };
                *rows.entry(labels).or_default() += items;
            };
            add("accepted", "", stats.accepted);
            add("delivered", "", stats.delivered);
            for (reason, items) in &stats.dropped {
                match reason.strip_prefix(DEAD_LETTERED) {
                    Some(reason) => add("dead_lettered", reason, *items),
                    None => add("dropped", reason, *items),
                }
            }
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
             dead_lettered + corten_queue_items",
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
        )?;
        self.shared.encode_dead_letters(&mut encoder)
    }
}

impl Shared {
    /// What is kept of what destinations refused for good.
    fn encode_dead_letters(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let queues = self.log.get().map(wal::Log::queues).unwrap_or_default();
        let letters: Vec<_> = queues
            .iter()
            .filter_map(|stats| Some((dead_letters_of(&stats.name)?, stats)))
            .collect();
        let mut family = |name, help, kind, value: &dyn Fn(&wal::QueueStats) -> u64| {
            let mut family = encoder.encode_descriptor(name, help, None, kind)?;
            for (component, stats) in &letters {
                let labels = [("component", *component)];
                let row = family.encode_family(&labels)?;
                match kind {
                    MetricType::Counter => ConstCounter::new(value(stats)).encode(row)?,
                    _ => ConstGauge::new(value(stats) as f64).encode(row)?,
                }
            }
            fmt::Result::Ok(())
        };
        family(
            "corten_dead_letter_items",
            "Items that a destination refused for good and that are kept",
            MetricType::Gauge,
            &|stats| stats.items,
        )?;
        family(
            "corten_dead_letter_bytes",
            "Bytes of these, as stored",
            MetricType::Gauge,
            &|stats| stats.bytes,
        )?;
        family(
            "corten_dead_letter_pushed_out_items",
            "Items of dead letters that had to go to make room for newer ones",
            MetricType::Counter,
            &|stats| stats.dropped.get("budget").copied().unwrap_or(0),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(folder: &tempfile::TempDir) -> Ledger {
        let ledger = Ledger::default();
        ledger.follow(wal::Log::open(wal::Options::new(folder.path())).unwrap());
        ledger
    }

    #[test]
    fn tenants_beyond_the_bound_are_counted_together() {
        let folder = tempfile::tempdir().unwrap();
        let (ledger, component) = (ledger(&folder), Arc::from("otelcol.receiver.otlp.x"));
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
        assert_eq!(*other.1, 10);
    }

    #[test]
    fn counts_outlive_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let (component, tenant) = (Arc::from("module.x/a.b.c"), Tenant::new("t").unwrap());
        for life in 1..=3 {
            let ledger = ledger(&folder);
            ledger.count(
                &component,
                Signal::Traces,
                &tenant,
                Outcome::Refused("memory"),
                5,
            );
            let rows = ledger.shared.rows(&[]);
            let (labels, count) = rows.first_key_value().unwrap();
            assert_eq!((rows.len(), *count), (1, 5 * life));
            assert_eq!(
                (&*labels.component, labels.signal),
                ("module.x/a.b.c", "traces")
            );
            assert_eq!(
                (&*labels.tenant, &*labels.outcome, &*labels.reason),
                ("t", "refused", "memory")
            );
            ledger.shared.log.get().unwrap().clone().close();
        }
    }
}
