//! A component's input, as others see it: counted, spanned, tapped, once for all components.
//!
//! The port belongs to the component's name, not to its instance. A reload points it to a new
//! instance while the components upstream keep the same handle, so they need not be touched.

use std::{
    any::Any,
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use arc_swap::ArcSwapOption;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};
use protos::Signal;
use syntax::{Capsule, CapsuleValue, Value};
use tokio::sync::broadcast;
use tracing::{Instrument, Span, debug_span, field::Empty};

use crate::{
    batch::{Batch, ConsumeFuture, Consumer, Refusal, Staged},
    telemetry::Metrics,
};

/// Batches that a slow onlooker may be behind before it misses some. They are not part of the memory
/// budget, for nobody's request is to wait for an onlooker.
const TAP_CAPACITY: usize = 16;

/// What an onlooker gets: batches as they pass.
pub type Tap = broadcast::Receiver<Batch>;

/// The way into a component, and the place where one looks at what comes out of it.
pub struct Port {
    id: Arc<str>,
    target: ArcSwapOption<Target>,
    flow: Flow,
    taken: broadcast::Sender<Batch>,
    handed_on: broadcast::Sender<Batch>,
    /// Whether the component has outputs.
    hands_on: AtomicBool,
    keepsake: OnceLock<Arc<dyn Any + Send + Sync>>,
}

/// Sized, so that it can be swapped atomically.
struct Target(Arc<dyn Consumer>);

impl Port {
    /// The port of the component of this name, leading nowhere yet.
    pub(super) fn new(id: Arc<str>, metrics: &Metrics) -> Self {
        let flow = Flow::new(&id, metrics);
        let (taken, _) = broadcast::channel(TAP_CAPACITY);
        let (handed_on, _) = broadcast::channel(TAP_CAPACITY);
        Self {
            id,
            target: ArcSwapOption::empty(),
            flow,
            taken,
            handed_on,
            hands_on: AtomicBool::new(false),
            keepsake: OnceLock::new(),
        }
    }

    /// Leads to another instance from now on; batches under way stay where they are.
    pub(super) fn lead_to(&self, consumer: Option<Arc<dyn Consumer>>) {
        self.target
            .store(consumer.map(|consumer| Arc::new(Target(consumer))));
    }

    /// Shows each batch that passes from now on; an onlooker who is too slow misses some, and
    /// never holds the flow up.
    pub fn tap(&self) -> Tap {
        self.taken.subscribe()
    }

    /// Shows what the component makes of its batches: what it hands on, or what it takes where it
    /// is the last. None if no batches flow through it.
    pub fn live(&self) -> Option<Tap> {
        if self.hands_on.load(Ordering::Relaxed) {
            return Some(self.handed_on.subscribe());
        }
        self.target.load().is_some().then(|| self.tap())
    }

    /// The component has an output.
    pub(super) fn hands_on(&self) {
        self.hands_on.store(true, Ordering::Relaxed);
    }

    /// Shows a batch that the component hands on.
    pub(super) fn show_handed_on(&self, batch: &Batch) {
        show(&self.handed_on, batch);
    }

    /// What one instance leaves to the next, made when it is first asked for.
    ///
    /// # Panics
    /// If it is asked for as two types.
    pub(super) fn keepsake<T: Any + Default + Send + Sync>(&self) -> Arc<T> {
        let keepsake = self.keepsake.get_or_init(|| Arc::new(T::default()));
        let keepsake = keepsake.clone().downcast();
        keepsake.expect("a component leaves one type of thing")
    }

    /// The name of the component behind it.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }
}

/// Notes in the present span what became of a batch.
fn note(result: &Result<Staged, Refusal>) {
    if let Err(refusal) = result {
        let span = Span::current();
        span.record("otel.status_code", "ERROR");
        span.record("otel.status_description", &*refusal.message);
    }
}

fn show(onlookers: &broadcast::Sender<Batch>, batch: &Batch) {
    if onlookers.receiver_count() > 0 {
        let mut shown = batch.clone();
        shown.context.reservation = None;
        // An error means that the last onlooker has just gone.
        let _ = onlookers.send(shown);
    }
}

impl Consumer for Port {
    fn consume(&self, batch: Batch) -> ConsumeFuture<'_> {
        let span = match batch.context.own {
            true => Span::none(),
            false => debug_span!(
                "consume",
                otel.name = %self.id,
                component_id = %self.id,
                signal = %batch.signal(),
                items = batch.items(),
                otel.status_code = Empty,
                otel.status_description = Empty,
            ),
        };
        let taken = async move {
            let target = self.target.load_full().ok_or_else(|| {
                Refusal::unavailable("stopping", format!("{} is not running", self.id))
            })?;
            show(&self.taken, &batch);
            let (signal, items) = (batch.signal(), batch.items());
            let result = target.0.consume(batch).await;
            note(&result);
            self.flow.count(signal, items, result.is_ok());
            result
        };
        Box::pin(taken.instrument(span))
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Port({})", self.id)
    }
}

/// The items that passed, by signal and by what became of them.
struct Flow {
    counters: [[Counter; 2]; Signal::ALL.len()],
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FlowLabels {
    component_id: String,
    signal: &'static str,
    outcome: &'static str,
}

impl Flow {
    fn new(id: &str, metrics: &Metrics) -> Self {
        let family: Family<FlowLabels, Counter> = metrics.family(
            "corten_component_items",
            "Items handed to a component, by what became of the hand-over",
        );
        let counter = |signal: Signal, outcome| {
            let component_id = id.to_owned();
            let labels = FlowLabels {
                component_id,
                signal: signal.as_str(),
                outcome,
            };
            family.get_or_create(&labels).clone()
        };
        let of_signal = |signal| ["refused", "taken"].map(|outcome| counter(signal, outcome));
        Self {
            counters: Signal::ALL.map(of_signal),
        }
    }

    fn count(&self, signal: Signal, items: u64, taken: bool) {
        self.counters[signal as usize][usize::from(taken)].inc_by(items);
    }
}

/// A port as a value of the language: `otelcol.exporter.otlp.default.input`.
#[derive(Clone, Debug)]
pub struct ConsumerHandle(pub Arc<Port>);

impl PartialEq for ConsumerHandle {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl CapsuleValue for ConsumerHandle {
    fn type_name(&self) -> &'static str {
        "otelcol.Consumer"
    }

    fn equals(&self, other: &dyn CapsuleValue) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl syntax::ToValue for ConsumerHandle {
    fn to_value(&self) -> Value {
        Value::Capsule(Capsule::new(Arc::new(self.clone())))
    }
}
