//! The registry behind `/metrics`. Components take families out of it; nobody else writes to it.

use std::{
    any::Any,
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use prometheus_client::{
    collector::Collector,
    encoding::text,
    metrics::family::{Family, MetricConstructor},
    registry::{Metric, Registry},
};

/// All metrics of the process. Cheap to clone.
#[derive(Clone, Default)]
pub struct Metrics {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    registry: Registry,
    /// Families by name, so that each instance of a component gets the same one.
    families: HashMap<&'static str, Box<dyn Any + Send + Sync>>,
}

impl Metrics {
    /// The family of this name, registered at first use. A counter's `_total` is added when it is
    /// shown.
    ///
    /// # Panics
    /// If the name is in use for a family of another type.
    pub fn family<L, M>(&self, name: &'static str, help: &str) -> Family<L, M>
    where
        Family<L, M>: Metric + Clone + Default,
        L: Clone + Eq + std::hash::Hash + Send + Sync + 'static,
        M: Send + Sync + 'static,
        fn() -> M: MetricConstructor<M>,
    {
        let shared = &mut *self.lock();
        let family = shared.families.entry(name).or_insert_with(|| {
            let family = Family::<L, M>::default();
            shared.registry.register(name, help, family.clone());
            Box::new(family)
        });
        family
            .downcast_ref::<Family<L, M>>()
            .expect("a metric name has one type")
            .clone()
    }

    /// Adds metrics that are worked out when they are asked for.
    pub fn collect(&self, collector: Box<dyn Collector>) {
        self.lock().registry.register_collector(collector);
    }

    /// Everything in the OpenMetrics text format.
    ///
    /// # Errors
    /// If a collector fails, which none of ours does.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.lock().registry)?;
        Ok(text)
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // A panic elsewhere cannot leave the registry half changed.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Metrics")
    }
}
