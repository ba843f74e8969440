//! An engine with `prometheus.scrape` and one that remembers the samples it is given.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body, extract::Request, http::HeaderMap, response::Response};
use corten::{
    batch::{Batch, ConsumeFuture, Consumer, MemoryBudget, Refusal, Staged},
    components::prometheus::{MetricsReceiver, ReceiverExports, scrape},
    graph::{Component, Definition, Engine, Site, Stability},
    services::Services,
    telemetry::Logs,
};
use protos::prometheus::{is_stale, series};
use syntax::SourceFile;
use tokio::task::JoinSet;

const TABLE: &[Definition] = &[
    Definition::component::<scrape::Component>("prometheus.scrape", STABLE),
    Definition::component::<Sink>("test.sink", STABLE),
];

const STABLE: Stability = Stability::GenerallyAvailable;

/// Longest that any test waits for something to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A sample that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) labels: BTreeMap<String, String>,
    /// None where a series ends.
    pub(crate) value: Option<f64>,
    pub(crate) timestamp: i64,
}

impl Arrived {
    pub(crate) fn name(&self) -> &str {
        &self.labels["__name__"]
    }
}

/// What sinks were given, by their ids, which no two tests share.
static GIVEN: Mutex<BTreeMap<String, Vec<Arrived>>> = Mutex::new(BTreeMap::new());

/// Remembers samples, or refuses the first of them.
struct Sink {
    site: Site,
    refusals: Mutex<u64>,
}

#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
struct SinkArguments {
    /// Batches that are refused before one is taken.
    #[attr(default = 0)]
    refusals: u64,
}

impl Component for Sink {
    type Arguments = SinkArguments;
    type Exports = ReceiverExports;

    fn build(arguments: SinkArguments, site: Site) -> Result<Self, String> {
        Ok(Self {
            site,
            refusals: Mutex::new(arguments.refusals),
        })
    }

    fn exports(&self) -> ReceiverExports {
        ReceiverExports {
            receiver: MetricsReceiver(self.site.input()),
        }
    }

    fn consumer(self: &Arc<Self>) -> Option<Arc<dyn Consumer>> {
        Some(self.clone())
    }
}

impl Consumer for Sink {
    fn consume(&self, batch: Batch) -> ConsumeFuture<'_> {
        Box::pin(async move {
            let mut refusals = self.refusals.lock().unwrap();
            if *refusals > 0 {
                *refusals -= 1;
                return Err(Refusal::unavailable("full", "the queue is full"));
            }
            let mut given = GIVEN.lock().unwrap();
            let given = given.entry(self.site.id().to_string()).or_default();
            for series in series(batch.payload.prometheus()?.body()) {
                let labels: BTreeMap<String, String> = series
                    .labels()
                    .iter()
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect();
                for sample in series.samples() {
                    given.push(Arrived {
                        labels: labels.clone(),
                        value: (!is_stale(sample.value)).then_some(sample.value),
                        timestamp: sample.timestamp,
                    });
                }
            }
            Ok(Staged::nothing())
        })
    }
}

/// A graph that runs until it is dropped.
pub(crate) struct Graph {
    engine: Arc<Engine>,
}

impl Graph {
    /// Runs a configuration.
    pub(crate) async fn run(text: &str) -> Self {
        let services = Services::new(MemoryBudget::new(64 << 20), Logs::start());
        let graph = Self {
            engine: Arc::new(Engine::new(TABLE, STABLE, services)),
        };
        graph.load(text).await;
        graph
    }

    /// Runs another configuration from now on.
    pub(crate) async fn load(&self, text: &str) {
        if let Err(diagnostics) = self
            .engine
            .load(&[SourceFile::new("test.alloy", text)])
            .await
        {
            panic!("{}", diagnostics.render());
        }
    }

    /// What is wrong with a configuration.
    pub(crate) async fn refuse(text: &str) -> String {
        let services = Services::new(MemoryBudget::new(1 << 20), Logs::start());
        let engine = Engine::new(TABLE, STABLE, services);
        let loaded = engine.load(&[SourceFile::new("test.alloy", text)]).await;
        loaded.expect_err(text).render()
    }

    /// Stops everything.
    pub(crate) async fn stop(&self) {
        self.engine.stop().await;
    }
}

/// A configuration with a sink and a scraper of these targets, each with its address and other labels.
pub(crate) fn config(label: &str, targets: &[String], arguments: &str) -> String {
    format!(
        "test.sink \"{label}\" {{ }}\n\
         prometheus.scrape \"{label}\" {{\n\
         targets = [{}]\n\
         forward_to = [test.sink.{label}.receiver]\n\
         scrape_interval = \"60ms\"\n\
         scrape_timeout = \"50ms\"\n\
         {arguments}\n}}",
        targets.join(", ")
    )
}

/// The samples of that name which a sink was given.
pub(crate) fn given(label: &str, name: &str) -> Vec<Arrived> {
    let given = GIVEN.lock().unwrap();
    let all = given
        .get(&format!("test.sink.{label}"))
        .cloned()
        .unwrap_or_default();
    all.into_iter()
        .filter(|sample| sample.name() == name)
        .collect()
}

/// The value of the last sample of that name; `Some(None)` where the series has ended.
pub(crate) fn last(label: &str, name: &str) -> Option<Option<f64>> {
    given(label, name).last().map(|sample| sample.value)
}

/// Waits until something is so.
pub(crate) async fn until<F: Future<Output = bool>>(condition: impl Fn() -> F) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(
        tokio::time::timeout(PATIENCE, wait).await.is_ok(),
        "it never came"
    );
}

/// What a target was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
}

/// A target on loopback that answers by a script.
pub(crate) struct Exposer {
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    _tasks: JoinSet<()>,
}

impl Exposer {
    pub(crate) async fn start(
        script: impl Fn(&Asked) -> Response<Body> + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let log = asked.clone();
        let answer = move |request: Request| {
            let (script, log) = (script.clone(), log.clone());
            async move {
                let asked = Asked {
                    path: request.uri().to_string(),
                    headers: request.headers().clone(),
                };
                log.lock().unwrap().push(asked.clone());
                script(&asked)
            }
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            axum::serve(listener, Router::new().fallback(answer))
                .await
                .unwrap();
        });
        Self {
            address,
            asked,
            _tasks: tasks,
        }
    }

    /// A target with a text that can be changed; without one it answers 503.
    pub(crate) async fn changing(first: &str) -> (Self, Arc<Mutex<Option<String>>>) {
        let text = Arc::new(Mutex::new(Some(first.to_owned())));
        let shown = text.clone();
        let exposer = Self::start(move |_| match &*shown.lock().unwrap() {
            Some(text) => answer("text/plain; version=0.0.4", text.clone()),
            None => Response::builder().status(503).body(Body::empty()).unwrap(),
        })
        .await;
        (exposer, text)
    }

    /// Everything it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// It, as a target of the language, with more labels.
    pub(crate) fn target(&self, labels: &str) -> String {
        format!("{{\"__address__\" = \"{}\", {labels}}}", self.address)
    }
}

/// An answer of a content type.
pub(crate) fn answer(kind: &str, body: impl Into<Body>) -> Response<Body> {
    Response::builder()
        .header("content-type", kind)
        .body(body.into())
        .unwrap()
}
