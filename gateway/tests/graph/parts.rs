//! Components for tests of the engine, which note what happens to them, and a few shortcuts.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use corten::{
    batch::{
        Batch, ConsumeFuture, Consumer, Context, MemoryBudget, Otlp, Payload, Refusal, Signal,
        Staged,
    },
    components::import,
    graph::{
        Component, ConsumerHandle, Definition, Engine, HealthState, Reloaded, Site, Stability,
        standard_library,
    },
    services::Services,
    telemetry::Logs,
};
use syntax::SourceFile;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) const TABLE: &[Definition] = &[
    Definition::import::<import::file::Component>("import.file", Stability::GenerallyAvailable),
    Definition::import::<import::git::Component>("import.git", Stability::GenerallyAvailable),
    Definition::import::<import::http::Component>("import.http", Stability::GenerallyAvailable),
    Definition::import::<import::string::Component>("import.string", Stability::GenerallyAvailable),
    Definition::component::<Sink>("test.sink", Stability::GenerallyAvailable),
    Definition::component::<Source>("test.source", Stability::GenerallyAvailable),
    Definition::component::<Text>("test.text", Stability::GenerallyAvailable),
    Definition::component::<Young>("test.young", Stability::Experimental),
];

/// What happened to the components of all tests, by their ids, which no two tests share.
pub(crate) static SEEN: Mutex<BTreeMap<String, Seen>> = Mutex::new(BTreeMap::new());

#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) built: u64,
    pub(crate) notes: Vec<String>,
    pub(crate) running: u64,
    pub(crate) stopped: u64,
    pub(crate) told_at: Option<Instant>,
    pub(crate) stopped_at: Option<Instant>,
    pub(crate) items: u64,
    pub(crate) site: Option<Site>,
}

pub(crate) fn note(id: &str, change: impl FnOnce(&mut Seen)) {
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    change(seen.entry(id.to_owned()).or_default());
}

pub(crate) fn seen(id: &str) -> Seen {
    let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    seen.get(id).cloned().unwrap_or_default()
}

/// Counts what it takes, or refuses it.
pub(crate) struct Sink {
    pub(crate) site: Site,
    pub(crate) refuse: bool,
    pub(crate) linger: Duration,
}

#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub(crate) struct SinkArguments {
    /// Any text; a change of it is a change of the component.
    #[attr(default = "")]
    note: String,
    /// Whether it takes nothing.
    #[attr(default = false)]
    pub(crate) refuse: bool,
    /// Whether it cannot be built.
    #[attr(default = false)]
    broken: bool,
    /// How long it takes to stop.
    #[attr(default = "0s")]
    pub(crate) linger: Duration,
}

#[derive(syntax::Exports, Clone, Debug)]
pub(crate) struct Input {
    /// Where to send.
    #[attr]
    input: ConsumerHandle,
}

impl Component for Sink {
    type Arguments = SinkArguments;
    type Exports = Input;

    fn build(arguments: Self::Arguments, site: Site) -> Result<Self, String> {
        if arguments.broken {
            return Err("it is broken".to_owned());
        }
        note(site.id(), |seen| {
            seen.built += 1;
            seen.notes.push(arguments.note);
        });
        Ok(Self {
            site,
            refuse: arguments.refuse,
            linger: arguments.linger,
        })
    }

    fn exports(&self) -> Input {
        Input {
            input: ConsumerHandle(self.site.input()),
        }
    }

    fn consumer(self: &Arc<Self>) -> Option<Arc<dyn Consumer>> {
        Some(self.clone())
    }

    async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), String> {
        note(self.site.id(), |seen| seen.running += 1);
        stop.cancelled().await;
        let told = Instant::now();
        tokio::time::sleep(self.linger).await;
        note(self.site.id(), |seen| {
            seen.stopped += 1;
            seen.told_at = Some(told);
        });
        Ok(())
    }
}

impl Consumer for Sink {
    fn consume(&self, batch: Batch) -> ConsumeFuture<'_> {
        Box::pin(async move {
            if self.refuse {
                return Err(Refusal::unavailable("full", "full"));
            }
            note(self.site.id(), |seen| seen.items += batch.items());
            Ok(Staged::nothing())
        })
    }
}

/// Refers to others.
pub(crate) struct Source {
    pub(crate) site: Site,
}

#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub(crate) struct SourceArguments {
    /// Where to.
    #[attr]
    forward_to: Vec<ConsumerHandle>,
    /// Any text.
    #[attr(default = "")]
    note: String,
}

#[derive(syntax::Exports, Clone, Debug)]
pub(crate) struct Nothing {}

impl Component for Source {
    type Arguments = SourceArguments;
    type Exports = Nothing;

    fn build(_: Self::Arguments, site: Site) -> Result<Self, String> {
        note(site.id(), |seen| seen.built += 1);
        Ok(Self { site })
    }

    fn exports(&self) -> Nothing {
        Nothing {}
    }

    async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), String> {
        stop.cancelled().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        note(self.site.id(), |seen| {
            seen.stopped_at = Some(Instant::now())
        });
        Ok(())
    }
}

/// Exports a text, and another when it is told to.
pub(crate) struct Text {
    pub(crate) value: String,
}

#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub(crate) struct TextArguments {
    /// The text.
    #[attr]
    pub(crate) value: String,
}

#[derive(syntax::Exports, Clone, Debug)]
pub(crate) struct TextExports {
    /// The text.
    #[attr]
    pub(crate) value: String,
}

impl Component for Text {
    type Arguments = TextArguments;
    type Exports = TextExports;

    fn build(arguments: Self::Arguments, site: Site) -> Result<Self, String> {
        note(site.id(), |seen| seen.site = Some(site.clone()));
        Ok(Self {
            value: arguments.value,
        })
    }

    fn exports(&self) -> TextExports {
        TextExports {
            value: self.value.clone(),
        }
    }
}

/// Not finished.
pub(crate) struct Young;

#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub(crate) struct NoArguments {}

impl Component for Young {
    type Arguments = NoArguments;
    type Exports = Nothing;

    fn build(_: Self::Arguments, _: Site) -> Result<Self, String> {
        Ok(Self)
    }

    fn exports(&self) -> Nothing {
        Nothing {}
    }
}

pub(crate) fn services() -> Services {
    Services::new(MemoryBudget::new(1 << 20), Logs::start())
}

pub(crate) fn engine() -> Engine {
    Engine::new(TABLE, Stability::GenerallyAvailable, services())
}

/// An engine with all that is not finished, too.
pub(crate) fn experimental() -> Engine {
    Engine::new(TABLE, Stability::Experimental, services())
}

pub(crate) fn file(text: &str) -> [SourceFile; 1] {
    [SourceFile::new("test.alloy", text)]
}

pub(crate) async fn load(engine: &Engine, text: &str) -> Reloaded {
    match engine.load(&file(text)).await {
        Ok(reloaded) => reloaded,
        Err(diagnostics) => panic!("{}", diagnostics.render()),
    }
}

pub(crate) fn check(text: &str) -> String {
    let table = TABLE;
    Engine::check(
        table,
        Stability::GenerallyAvailable,
        &standard_library(),
        &file(text),
    )
    .render()
}

/// What is wrong with a configuration that cannot be loaded.
pub(crate) async fn refused(engine: &Engine, text: &str) -> String {
    match engine.load(&file(text)).await {
        Ok(_) => panic!("it was loaded"),
        Err(diagnostics) => diagnostics.render(),
    }
}

/// Lets an engine follow its components until it is dropped.
pub(crate) struct Following(tokio::task::JoinHandle<()>);

impl Following {
    pub(crate) fn of(engine: &Arc<Engine>) -> Self {
        let engine = engine.clone();
        Self(tokio::spawn(async move { engine.follow().await }))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The health of a node, in words.
pub(crate) async fn health(engine: &Engine, id: &str) -> (HealthState, String) {
    let views = engine.view().await;
    let view = views.into_iter().find(|view| *view.id == *id);
    let health = view.expect("the node is there").health;
    (health.state, health.message)
}

pub(crate) fn batch(items: u64) -> Batch {
    let payload = Payload::Otlp(Otlp::plain(Signal::Logs, items, Bytes::new()));
    Batch {
        context: Context::default(),
        payload,
    }
}

pub(crate) fn names(ids: &[Arc<str>]) -> Vec<&str> {
    ids.iter().map(|id| &**id).collect()
}

pub(crate) async fn until(what: impl Fn() -> bool) {
    for _ in 0..1000 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not happen within five seconds");
}
