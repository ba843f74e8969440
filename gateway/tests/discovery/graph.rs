//! An engine with the discovery components and one that remembers the targets it is given.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, Response, StatusCode, header},
};
use corten::{
    batch::MemoryBudget,
    components::discovery,
    graph::{Component, Definition, Engine, HealthState, Site, Stability},
    services::Services,
    telemetry::Logs,
};
use syntax::SourceFile;
use tokio::task::JoinSet;

const TABLE: &[Definition] = &[
    Definition::component::<discovery::dns::Component>("discovery.dns", STABLE),
    Definition::component::<discovery::file::Component>("discovery.file", STABLE),
    Definition::component::<discovery::http::Component>("discovery.http", STABLE),
    Definition::component::<discovery::relabel::Component>("discovery.relabel", STABLE),
    Definition::component::<Sink>("test.sink", STABLE),
];

const STABLE: Stability = Stability::GenerallyAvailable;

/// Longest that any test waits for something to happen.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) type Target = BTreeMap<String, String>;

/// What sinks were given last, by their ids, which no two tests share.
static GIVEN: Mutex<BTreeMap<String, Vec<Target>>> = Mutex::new(BTreeMap::new());

/// Remembers targets.
struct Sink;

#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
struct SinkArguments {
    /// The targets.
    #[attr]
    targets: Vec<Target>,
}

#[derive(syntax::Exports, Clone, Debug)]
struct Nothing {}

impl Component for Sink {
    type Arguments = SinkArguments;
    type Exports = Nothing;

    fn build(arguments: SinkArguments, site: Site) -> Result<Self, String> {
        let mut given = GIVEN.lock().unwrap();
        given.insert(site.id().to_string(), arguments.targets);
        Ok(Self)
    }

    fn exports(&self) -> Nothing {
        Nothing {}
    }
}

/// A graph that runs until it is dropped.
pub(crate) struct Graph {
    engine: Arc<Engine>,
    services: Services,
    _tasks: JoinSet<()>,
}

impl Graph {
    /// Runs a configuration.
    pub(crate) async fn run(text: &str) -> Self {
        let services = Services::new(MemoryBudget::new(1 << 20), Logs::start());
        let engine = Arc::new(Engine::new(TABLE, STABLE, services.clone()));
        if let Err(diagnostics) = engine.load(&[SourceFile::new("test.alloy", text)]).await {
            panic!("{}", diagnostics.render());
        }
        let mut tasks = JoinSet::new();
        let followed = engine.clone();
        tasks.spawn(async move { followed.follow().await });
        Self {
            engine,
            services,
            _tasks: tasks,
        }
    }

    /// What is wrong with a configuration.
    pub(crate) async fn refuse(text: &str) -> String {
        let services = Services::new(MemoryBudget::new(1 << 20), Logs::start());
        let engine = Engine::new(TABLE, STABLE, services);
        let loaded = engine.load(&[SourceFile::new("test.alloy", text)]).await;
        loaded.expect_err(text).render()
    }

    /// Whether a component is well, and what it says.
    pub(crate) async fn health(&self, id: &str) -> (bool, String) {
        let view = self.engine.view().await;
        let node = view.into_iter().find(|node| *node.id == *id).unwrap();
        (
            node.health.state == HealthState::Healthy,
            node.health.message,
        )
    }

    /// The lines of `/metrics` that begin with `name`.
    pub(crate) fn metrics(&self, name: &str) -> String {
        let text = self.services.metrics().encode().unwrap();
        text.lines().filter(|line| line.starts_with(name)).collect()
    }
}

/// What a sink was given last.
pub(crate) fn given(label: &str) -> Vec<Target> {
    let given = GIVEN.lock().unwrap();
    given
        .get(&format!("test.sink.{label}"))
        .cloned()
        .unwrap_or_default()
}

/// Waits until a sink's targets have these values of a label.
pub(crate) async fn until_given(sink: &str, label: &str, expected: &[&str]) {
    let values = || -> Vec<String> {
        let value = |target: &Target| target.get(label).cloned().unwrap_or_default();
        given(sink).iter().map(value).collect()
    };
    until(async || values() == expected).await;
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

/// What a server was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// A web server on loopback that answers by a script and remembers what it was asked.
pub(crate) struct Server {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start(
        script: impl Fn(&Asked) -> Response<Body> + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let log = asked.clone();
        let answer = move |request: Request| {
            let (script, log) = (script.clone(), log.clone());
            async move {
                let (head, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                let asked = Asked {
                    path: head.uri.to_string(),
                    headers: head.headers,
                    body: String::from_utf8(body.to_vec()).unwrap(),
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
            url,
            asked,
            _tasks: tasks,
        }
    }

    /// Everything it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// An answer in JSON.
pub(crate) fn json(body: impl Into<String>) -> Response<Body> {
    Response::builder()
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.into()))
        .unwrap()
}

/// An answer without a body.
pub(crate) fn status(code: u16) -> Response<Body> {
    Response::builder()
        .status(StatusCode::from_u16(code).unwrap())
        .body(Body::empty())
        .unwrap()
}

/// A redirect.
pub(crate) fn redirect(place: &str) -> Response<Body> {
    Response::builder()
        .status(302)
        .header(header::LOCATION, place)
        .body(Body::empty())
        .unwrap()
}
