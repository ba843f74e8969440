//! The gateway as a whole: what `run` builds, and what the admin server acts on.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};
use sha2::{Digest, Sha256};
use syntax::{Diagnostics, SourceFile};

use crate::{
    batch::{Batch, QueueKey},
    components,
    graph::{Engine, Stability, checking_library},
    services::Services,
};

/// Reads the configuration, each time anew.
pub type ReadSources = Box<dyn Fn() -> Result<Vec<SourceFile>, String> + Send + Sync>;

/// The running gateway.
pub struct App {
    engine: Engine,
    services: Services,
    sources: ReadSources,
    ready: AtomicBool,
    /// Held while a configuration is loaded, one at a time; true once the graph is being stopped,
    /// for a load would start it again.
    stopped: tokio::sync::Mutex<bool>,
    loads: Arc<Loads>,
}

impl App {
    /// A gateway that runs nothing yet.
    pub fn new(services: Services, stability: Stability, sources: ReadSources) -> Self {
        let engine = Engine::new(components::VOCABULARY, stability, services.clone());
        let loads = Arc::new(Loads::default());
        services.metrics().collect(Box::new(loads.clone()));
        let (ready, stopped) = (AtomicBool::new(false), tokio::sync::Mutex::default());
        Self {
            engine,
            services,
            sources,
            ready,
            stopped,
            loads,
        }
    }

    /// Components that a reload takes out or replaces have this long to stop.
    pub fn stopping_within(mut self, deadline: Duration) -> Self {
        self.engine = self.engine.stopping_within(deadline);
        self
    }

    /// The component graph.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What the components are given.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Whether the gateway takes data: the first load succeeded, every component of the present
    /// configuration has started, and the process is not about to end.
    ///
    /// A component that cannot start, because another process has its port, goes on trying; the
    /// gateway is ready when it succeeds. What fails after it has started is a matter of health
    /// alone: a load balancer that took all gateways out when a backend goes would lose the data
    /// that their logs could hold.
    ///
    /// # Errors
    /// A sentence that says what is missing.
    pub async fn readiness(&self) -> Result<(), String> {
        if !self.ready.load(Ordering::Relaxed) {
            let why = "the first configuration is not loaded yet, or the gateway is stopping";
            return Err(why.to_owned());
        }
        let missing = self.engine.not_started().await;
        if missing.is_empty() {
            return Ok(());
        }
        let missing = missing.join("; ");
        Err(format!(
            "some components cannot start and go on trying: {missing}"
        ))
    }

    /// A batch in words, for people who watch.
    pub fn describe(batch: &Batch) -> String {
        components::describe(batch)
    }

    /// What is wrong with the log, if anything is.
    pub fn log_problem(&self) -> Option<String> {
        self.services.log().stats().health
    }

    /// Reads the configuration and runs it in place of the present one. Returns when its components
    /// have started or failed to, for a while at most; [`App::readiness`] says which.
    ///
    /// # Errors
    /// What is wrong with it; nothing has changed then.
    pub async fn load(&self) -> Result<(), LoadError> {
        let stopped = self.stopped.lock().await;
        if *stopped {
            return Err(LoadError::Stopping);
        }
        let result = self.read_and_load().await;
        match &result {
            Ok(hash) => self.loads.succeeded(hash),
            Err(_) => self.loads.failed(),
        }
        drop(stopped);
        result?;
        // Without the lock: who stops the gateway does not wait for this.
        self.engine.settle().await;
        self.services.gate().configured();
        self.services.logs().lines().configured();
        let stopped = self.stopped.lock().await;
        self.ready.store(!*stopped, Ordering::Relaxed);
        Ok(())
    }

    /// The same for a configuration that runs already: what is wrong is logged, a line each.
    ///
    /// # Errors
    /// As [`App::load`].
    pub async fn reload(&self) -> Result<(), LoadError> {
        let result = self.load().await;
        match &result {
            Ok(()) => {}
            Err(error @ (LoadError::Stopping | LoadError::Unreadable(_))) => {
                tracing::error!("{error}");
            }
            Err(LoadError::Wrong(diagnostics)) => {
                for diagnostic in diagnostics.iter() {
                    let at = diagnostic.file.position(diagnostic.span.start);
                    let (file, message) = (diagnostic.file.name(), &diagnostic.message);
                    tracing::error!("{file}:{}:{}: {message}", at.line, at.column);
                }
            }
        }
        if matches!(result, Err(LoadError::Unreadable(_) | LoadError::Wrong(_))) {
            tracing::error!("the configuration was not loaded; the one before it goes on");
        }
        result
    }

    async fn read_and_load(&self) -> Result<String, LoadError> {
        let files = (self.sources)().map_err(LoadError::Unreadable)?;
        let loaded = self.engine.load(&files).await.map_err(|mut diagnostics| {
            diagnostics = components::alloy::note(&files, diagnostics);
            diagnostics.sort();
            LoadError::Wrong(diagnostics)
        })?;
        tracing::info!(
            started = loaded.started.len(),
            replaced = loaded.replaced.len(),
            stopped = loaded.stopped.len(),
            kept = loaded.kept,
            "configuration loaded"
        );
        self.name_orphans().await;
        Ok(hash(&files))
    }

    /// Says what the log owes to components that the configuration does not have: nothing else
    /// would, and it takes up the log's budget.
    async fn name_orphans(&self) {
        let views = self.engine.view().await;
        let mut owed: BTreeMap<String, u64> = BTreeMap::new();
        for queue in self.services.log().queues() {
            if let Some((component, _)) = QueueKey::parse(&queue.name)
                && queue.items > 0
                && !views.iter().any(|view| *view.id == *component)
            {
                *owed.entry(component.to_owned()).or_default() += queue.items;
            }
        }
        for (component, items) in owed {
            tracing::warn!(
                component,
                items,
                "the log owes data to a component that is not in the configuration; it is kept, \
                 and delivered when a component has that name again"
            );
        }
    }

    /// Stops taking data, lets what is under way end, and closes the log.
    pub async fn drain(&self) {
        {
            let mut stopped = self.stopped.lock().await;
            *stopped = true;
            self.ready.store(false, Ordering::Relaxed);
        }
        // Who asked the admin server for a user goes on doing so until the end.
        self.services.gate().seal();
        self.engine.stop().await;
        let log = self.services.log().clone();
        let _ = tokio::task::spawn_blocking(move || log.close()).await;
    }
}

/// All that is wrong with a configuration, in the order of its text.
pub fn check(stability: Stability, files: &[SourceFile]) -> Diagnostics {
    let library = checking_library();
    let found = Engine::check(components::VOCABULARY, stability, &library, files);
    let mut diagnostics = components::alloy::note(files, found);
    diagnostics.sort();
    diagnostics
}

/// Why a configuration was not loaded.
#[derive(Debug)]
pub enum LoadError {
    /// The gateway is about to end.
    Stopping,
    /// Its files cannot be read; the sentence says which.
    Unreadable(String),
    /// All that is wrong with it.
    Wrong(Diagnostics),
}

impl fmt::Display for LoadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopping => formatter.write_str(
                "the gateway is stopping and loads nothing any more; start it again to run another \
                 configuration",
            ),
            Self::Unreadable(reason) => formatter.write_str(reason),
            Self::Wrong(diagnostics) => formatter.write_str(diagnostics.render().trim_end()),
        }
    }
}

impl std::error::Error for LoadError {}

/// The sum over all files, in order.
fn hash(files: &[SourceFile]) -> String {
    let mut sum = Sha256::new();
    for file in files {
        sum.update(file.text());
    }
    sum.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The name of the cluster in Alloy's metric of the configuration's hash. There is one node.
const CLUSTER_NAME: &str = "";

/// What this program is, under the label names of Alloy's build information.
const BUILD: [(&str, &str); 3] = [
    ("goarch", std::env::consts::ARCH),
    ("goos", std::env::consts::OS),
    ("version", env!("CARGO_PKG_VERSION")),
];

/// How loading went, as `corten_config_*`.
#[derive(Debug, Default)]
struct Loads {
    hash: Mutex<Option<String>>,
    succeeded_at: AtomicU64,
    last_succeeded: AtomicBool,
    failures: AtomicU64,
}

impl Loads {
    fn succeeded(&self, hash: &str) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        *self.hash.lock().unwrap_or_else(PoisonError::into_inner) = Some(hash.to_owned());
        self.succeeded_at.store(now.as_secs(), Ordering::Relaxed);
        self.last_succeeded.store(true, Ordering::Relaxed);
    }

    fn failed(&self) {
        self.last_succeeded.store(false, Ordering::Relaxed);
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}

impl Collector for Loads {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let hash = self
            .hash
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut family = encoder.encode_descriptor(
            "corten_config_hash",
            "Hash of the configuration that runs",
            None,
            MetricType::Gauge,
        )?;
        if let Some(hash) = &hash {
            let labels = [("cluster_name", CLUSTER_NAME), ("sha256", hash)];
            ConstGauge::new(1_i64).encode(family.encode_family(&labels)?)?;
        }
        let mut family = encoder.encode_descriptor(
            "corten_build_info",
            "What this program is; its value is 1",
            None,
            MetricType::Gauge,
        )?;
        ConstGauge::new(1_i64).encode(family.encode_family(&BUILD)?)?;
        let mut gauge = |name, help, value: f64| {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
        };
        gauge(
            "corten_config_last_load_successful",
            "Whether the last load of the configuration succeeded",
            f64::from(u8::from(self.last_succeeded.load(Ordering::Relaxed))),
        )?;
        gauge(
            "corten_config_last_load_success_timestamp_seconds",
            "When a configuration was last loaded",
            self.succeeded_at.load(Ordering::Relaxed) as f64,
        )?;
        ConstCounter::new(self.failures.load(Ordering::Relaxed)).encode(encoder.encode_descriptor(
            "corten_config_load_failures",
            "Configurations that could not be loaded",
            None,
            MetricType::Counter,
        )?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{batch::MemoryBudget, telemetry::Logs};

    #[tokio::test]
    async fn nothing_is_loaded_once_the_gateway_stops() {
        let folder = tempfile::tempdir().unwrap();
        let services = Services::new(MemoryBudget::new(1 << 20), Logs::start());
        services.open(wal::Log::open(wal::Options::new(folder.path())).unwrap());
        let text = "otelcol.exporter.debug \"d\" { }";
        let sources = move || Ok(vec![SourceFile::new("test.alloy", text)]);
        let app = App::new(services, Stability::Experimental, Box::new(sources));
        app.load().await.unwrap();
        app.readiness().await.unwrap();
        app.drain().await;
        assert!(matches!(app.reload().await, Err(LoadError::Stopping)));
        assert!(app.engine().view().await.is_empty());
        assert!(app.readiness().await.is_err());
    }
}
