//! What the engine says of itself, under the names that Alloy's controller uses.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge, histogram::Histogram},
};
use tokio::time::Instant;

use super::{HealthReport, HealthState};
use crate::telemetry::Metrics;

/// Alloy's bounds of the time that an evaluation takes, in seconds.
const BOUNDS: [f64; 12] = [
    0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
];

/// From here on an evaluation is slow, and its component is named.
const SLOW: Duration = Duration::from_secs(60);

/// The labels that tell Alloy's controllers from each other. Time and evaluations are counted for
/// all graphs of the process together.
const CONTROLLER: [(&str, &str); 2] = [("controller_path", "/"), ("controller_id", "")];

/// The meters of an engine. Cheap to clone.
#[derive(Clone)]
pub(super) struct Meters {
    shared: Arc<Shared>,
    /// The prefix of the engine's ids.
    graph: Arc<str>,
}

struct Shared {
    /// Of the components of each graph, by the prefix of its ids.
    healths: Mutex<BTreeMap<Arc<str>, Vec<HealthReport>>>,
    /// Loads and evaluations under way.
    evaluating: AtomicU64,
    evaluation: Histogram,
    wait: Histogram,
    /// Changed exports that were not looked at yet.
    waiting: Arc<AtomicU64>,
    /// Seconds spent on slow evaluations, by component.
    slow: Mutex<HashMap<Arc<str>, f64>>,
}

impl Meters {
    /// Meters behind `/metrics`, with the count of changed exports that wait.
    pub(super) fn new(metrics: &Metrics, waiting: Arc<AtomicU64>) -> Self {
        let shared = Arc::new(Shared {
            healths: Mutex::default(),
            evaluating: AtomicU64::new(0),
            evaluation: Histogram::new(BOUNDS),
            wait: Histogram::new(BOUNDS),
            waiting,
            slow: Mutex::default(),
        });
        metrics.collect(Box::new(Exposed(shared.clone())));
        Self {
            shared,
            graph: "".into(),
        }
    }

    /// The same meters for another graph of the process.
    pub(super) fn of(&self, graph: &Arc<str>) -> Self {
        Self {
            shared: self.shared.clone(),
            graph: graph.clone(),
        }
    }

    /// The prefix of the graph's ids.
    pub(super) fn graph(&self) -> &Arc<str> {
        &self.graph
    }

    /// The count of changed exports that wait.
    pub(super) fn waiting(&self) -> &Arc<AtomicU64> {
        &self.shared.waiting
    }

    /// The components that run from now on.
    pub(super) fn running(&self, healths: Vec<HealthReport>) {
        lock(&self.shared.healths).insert(self.graph.clone(), healths);
    }

    /// The graph is being evaluated until this is dropped.
    pub(super) fn evaluating(&self) -> Evaluating {
        self.shared.evaluating.fetch_add(1, Ordering::Relaxed);
        Evaluating(self.shared.clone())
    }

    /// One component is being evaluated until this is dropped.
    pub(super) fn evaluate(&self, id: &Arc<str>) -> Evaluation {
        Evaluation {
            shared: self.shared.clone(),
            id: id.clone(),
            began: Instant::now(),
        }
    }

    /// Exports that changed at this moment wait no longer.
    pub(super) fn waited(&self, since: Instant) {
        self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
        self.shared.wait.observe(since.elapsed().as_secs_f64());
    }
}

impl fmt::Debug for Meters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Meters")
    }
}

pub(super) struct Evaluating(Arc<Shared>);

impl Drop for Evaluating {
    fn drop(&mut self) {
        self.0.evaluating.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) struct Evaluation {
    shared: Arc<Shared>,
    id: Arc<str>,
    began: Instant,
}

impl Drop for Evaluation {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        self.shared.evaluation.observe(took.as_secs_f64());
        if took >= SLOW {
            *lock(&self.shared.slow).entry(self.id.clone()).or_default() += took.as_secs_f64();
        }
    }
}

struct Exposed(Arc<Shared>);

impl fmt::Debug for Exposed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Exposed")
    }
}

impl Collector for Exposed {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let shared = &self.0;
        let mut family = encoder.encode_descriptor(
            "corten_component_controller_running_components",
            "Components that run, by their health",
            None,
            MetricType::Gauge,
        )?;
        for (graph, healths) in &*lock(&shared.healths) {
            let healths: Vec<_> = healths.iter().map(|health| health.get().state).collect();
            for state in HealthState::ALL {
                let count = healths.iter().filter(|health| **health == state).count();
                if count > 0 {
                    let id = ("controller_id", &**graph);
                    let labels = [CONTROLLER[0], id, ("health_type", state.as_str())];
                    let gauge = ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
                    gauge.encode(family.encode_family(&labels)?)?;
                }
            }
        }
        for (name, help, value) in [
            (
                "corten_component_controller_evaluating",
                "Evaluations of the graph that are under way",
                &shared.evaluating,
            ),
            (
                "corten_component_evaluation_queue_size",
                "Changed exports whose users were not evaluated again yet",
                &shared.waiting,
            ),
        ] {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            let value = i64::try_from(value.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
            ConstGauge::new(value).encode(family.encode_family(&CONTROLLER)?)?;
        }
        for (name, help, histogram) in [
            (
                "corten_component_evaluation_seconds",
                "Time that evaluating a component took",
                &shared.evaluation,
            ),
            (
                "corten_component_dependencies_wait_seconds",
                "Time that changed exports waited until their users were evaluated again",
                &shared.wait,
            ),
        ] {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
            histogram.encode(family.encode_family(&CONTROLLER)?)?;
        }
        let mut family = encoder.encode_descriptor(
            "corten_component_evaluation_slow_seconds",
            "Time that evaluations took which were longer than a minute",
            None,
            MetricType::Counter,
        )?;
        for (id, seconds) in &*lock(&shared.slow) {
            let labels = [CONTROLLER[0], CONTROLLER[1], ("component_id", &**id)];
            ConstCounter::new(*seconds).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere cannot leave any of them half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
