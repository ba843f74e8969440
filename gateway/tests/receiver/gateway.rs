//! A gateway of one configuration, whose pipelines end in a sink that answers as it is told.

use std::{
    collections::HashMap,
    net::{SocketAddr, TcpListener},
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use corten::{
    batch::{Batch, ConsumeFuture, Consumer, MemoryBudget, Refusal, RefusalKind, Signal, Staged},
    components::otelcol::{
        auth::{basic, bearer, headers},
        exporter::debug,
        processor::{batch, memory_limiter},
        receiver::otlp,
    },
    graph::{Component, ConsumerHandle, Definition, Engine, HealthState, Site, Stability},
    services::Services,
    telemetry::Logs,
};
use syntax::SourceFile;

const STABLE: Stability = Stability::GenerallyAvailable;

static TABLE: &[Definition] = &[
    Definition::component::<basic::Component>("otelcol.auth.basic", STABLE),
    Definition::component::<bearer::Component>("otelcol.auth.bearer", STABLE),
    Definition::component::<headers::Component>("otelcol.auth.headers", STABLE),
    Definition::component::<debug::Component>("otelcol.exporter.debug", STABLE),
    Definition::component::<batch::Component>("otelcol.processor.batch", STABLE),
    Definition::component::<memory_limiter::Component>("otelcol.processor.memory_limiter", STABLE),
    Definition::component::<otlp::Component>("otelcol.receiver.otlp", STABLE),
    Definition::component::<Sink>("test.sink", STABLE),
];

/// A running gateway; its sink is `test.sink.<name>`, so tests in one process do not meet.
pub(crate) struct Gateway {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) memory: MemoryBudget,
    services: Services,
    engine: Engine,
    name: &'static str,
}

impl Gateway {
    /// Runs a receiver with these `grpc` and `http` blocks, further components, and a sink.
    pub(crate) async fn start(name: &'static str, setup: Setup<'_>) -> Self {
        let memory = MemoryBudget::new(256 << 20);
        let services = Services::new(memory.clone(), Logs::start());
        let engine = Engine::new(TABLE, STABLE, services.clone());
        let gateway = Self {
            grpc: free_port(),
            http: free_port(),
            memory,
            services,
            engine,
            name,
        };
        gateway.load(setup).await.unwrap();
        for address in [gateway.grpc, gateway.http] {
            while tokio::net::TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
        gateway
    }

    /// Runs another configuration in place of the present one, on the same ports.
    pub(crate) async fn load(&self, setup: Setup<'_>) -> Result<(), String> {
        let Setup {
            grpc,
            http,
            receiver,
            components,
            answer,
            to,
        } = setup;
        let (name, grpc_endpoint, http_endpoint) = (self.name, self.grpc, self.http);
        let to = to.replace("{name}", name);
        let text = format!(
            "otelcol.receiver.otlp \"{name}\" {{\n\
             grpc {{ endpoint = \"{grpc_endpoint}\"\n{grpc} }}\n\
             http {{ endpoint = \"{http_endpoint}\"\n{http} }}\n\
             {receiver}\n\
             output {{ logs = [{to}]\nmetrics = [{to}]\ntraces = [{to}] }}\n}}\n\
             {components}\n\
             test.sink \"{name}\" {{ answer = \"{answer}\" }}\n",
            components = components.replace("{name}", name),
        );
        let files = [SourceFile::new("test.alloy", text)];
        let loaded = self.engine.load(&files).await;
        loaded
            .map(|_| ())
            .map_err(|diagnostics| diagnostics.render())
    }

    /// The batches that have arrived since the last call.
    pub(crate) fn arrived(&self) -> Vec<Batch> {
        ARRIVED
            .lock()
            .unwrap()
            .remove(self.name)
            .unwrap_or_default()
    }

    /// Opens a log, without which nothing is counted.
    pub(crate) fn open_log(&self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        self.services
            .open(wal::Log::open(wal::Options::new(folder.path())).unwrap());
        folder
    }

    /// Items of a tenant so far with this outcome, such as `refused/memory`.
    pub(crate) fn count(
        &self,
        component: &str,
        signal: Signal,
        tenant: &str,
        outcome: &str,
    ) -> u64 {
        let text = self.services.metrics().encode().unwrap();
        let (outcome, reason) = outcome.split_once('/').unwrap_or((outcome, ""));
        let labels = format!(
            "corten_ledger_items_total{{component=\"{component}.{}\",signal=\"{signal}\",\
             tenant=\"{tenant}\",outcome=\"{outcome}\",reason=\"{reason}\"}} ",
            self.name
        );
        let count = text.lines().find_map(|line| line.strip_prefix(&*labels));
        count.map_or(0, |count| count.parse().unwrap())
    }

    /// What is wrong with the receiver, as soon as something is.
    pub(crate) async fn unhealthy(&self) -> String {
        loop {
            for node in self.engine.view().await {
                if node.name == "otelcol.receiver.otlp"
                    && node.health.state == HealthState::Unhealthy
                {
                    return node.health.message;
                }
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub(crate) async fn stop(&self) {
        self.engine.stop().await;
    }
}

/// The parts of a configuration that tests vary.
#[derive(Clone, Copy)]
pub(crate) struct Setup<'a> {
    pub(crate) grpc: &'a str,
    pub(crate) http: &'a str,
    pub(crate) receiver: &'a str,
    pub(crate) components: &'a str,
    pub(crate) answer: &'a str,
    pub(crate) to: &'a str,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        let to = "test.sink.{name}.input";
        Self {
            grpc: "",
            http: "",
            receiver: "",
            components: "",
            answer: "taken",
            to,
        }
    }
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

// === the sink ===

static ARRIVED: LazyLock<Mutex<HashMap<String, Vec<Batch>>>> = LazyLock::new(Mutex::default);

#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub(crate) struct Arguments {
    /// What the sink answers.
    #[attr]
    answer: String,
}

#[derive(syntax::Exports, Clone, Debug)]
pub(crate) struct Exports {
    /// Takes batches.
    #[attr]
    input: ConsumerHandle,
}

pub(crate) struct Sink {
    site: Site,
    answer: String,
}

impl Component for Sink {
    type Arguments = Arguments;
    type Exports = Exports;

    fn build(arguments: Arguments, site: Site) -> Result<Self, String> {
        Ok(Self {
            site,
            answer: arguments.answer,
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

impl Consumer for Sink {
    fn consume(&self, mut batch: Batch) -> ConsumeFuture<'_> {
        // What has arrived is no longer in flight.
        batch.context.reservation = None;
        Box::pin(async move {
            let retry_after = Duration::from_millis(2500);
            let kind = match self.answer.as_str() {
                "taken" => None,
                "partial" => {
                    let rejection = Some("one is too old".to_owned());
                    return Ok(Staged {
                        rejected: 1,
                        rejection,
                        ..Staged::nothing()
                    });
                }
                "unavailable" => Some(RefusalKind::Unavailable { retry_after }),
                "throttled" => Some(RefusalKind::Throttled { retry_after }),
                "invalid" => Some(RefusalKind::Invalid),
                "too_large" => Some(RefusalKind::TooLarge),
                "denied" => Some(RefusalKind::Denied),
                "never" => std::future::pending().await,
                other => panic!("unknown answer {other}"),
            };
            if let Some(kind) = kind {
                let message = format!("the sink is {}", self.answer).into();
                return Err(Refusal {
                    kind,
                    reason: "test",
                    message,
                });
            }
            let name = self
                .site
                .id()
                .rsplit('.')
                .next()
                .unwrap_or_default()
                .to_owned();
            ARRIVED.lock().unwrap().entry(name).or_default().push(batch);
            Ok(Staged::nothing())
        })
    }
}
